"""The alert rules ask for what /metrics has, and for nothing else; its page tells of all of it."""

import re
from typing import Any

import pytest
import yaml
from prometheus_client.exposition import generate_latest

from events.statistics import tally
from events.tests.helpers import published
from ordersite.settings import BASE_DIR
from rpc import call_log
from testing.api import client_of
from testing.shop import order_created

RULES = BASE_DIR / "deploy/prometheus/alerts.yml"
PAGE = BASE_DIR / "docs/metrics.md"
NAME = re.compile(r"\bordersite_[a-z_]+")


def rules() -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> list[str]:
    return [rule["expr"] for rule in rules()]


@pytest.fixture
def scraped(transactional_db: None, settings: Any) -> str:
    """What /metrics says of a site on which something of everything has happened, and that of a gRPC server."""
    settings.EVENTS = settings.EVENTS | {"SERVICES": {"gRPC": "grpc"}}
    published(order_created())
    tally.note("expired", {"inventory.reserve_items": 1})
    while tally.advance():
        pass
    client_of().get("/api/v1/products")
    return str(client_of().get("/metrics").content.decode()) + generate_latest(call_log.registry).decode()


def exposed(scraped: str) -> set[str]:
    """The names of samples, and of families whose samples come with their first label."""
    families = set(re.findall(r"^# TYPE (\S+) ", scraped, re.MULTILINE))
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)", scraped, re.MULTILINE))
    ends = {"histogram": ("_bucket", "_sum", "_count")}
    return {f"{name}{end}" for name in families for end in ends.get(kinds[name], ("",))}


def test_every_metric_that_a_rule_names_exists(scraped: str) -> None:
    asked = {name for expression in expressions() for name in NAME.findall(expression)}
    assert len(asked) > 10
    assert asked - exposed(scraped) == set()


def test_every_metric_is_in_the_page(scraped: str) -> None:
    families = set(re.findall(r"^# TYPE (ordersite_\S+) ", scraped, re.MULTILINE))
    assert {name for name in families if name not in PAGE.read_text()} == set()


def test_only_what_never_falls_is_asked_for_its_increase(scraped: str) -> None:
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)", scraped, re.MULTILINE))
    gauges = {name for name, kind in kinds.items() if kind == "gauge"}
    asked = {name for expression in expressions() for name in re.findall(r"(?:rate|increase)\((\w+)", expression)}
    assert len(asked) > 5
    assert asked & gauges == set(), "a gauge that falls would be taken for a counter that began anew"


def test_every_rule_says_what_to_do_and_stands_in_the_page() -> None:
    for rule in rules():
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["action"]
        assert f"`{rule['alert']}`" in PAGE.read_text()
