"""Containers get the time that their processes need to finish what they have in hand."""

from typing import Any

import pytest
import yaml

from events.subscriptions import the_map
from testing import ROOT
from web.server import DRAIN_SECONDS

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
DOCKERS_OWN = "10s"  # https://docs.docker.com/reference/compose-file/services/#stop_grace_period
TO_END = 4  # seconds that a process needs to end when it has nothing left to do


def grace(service: str) -> int:
    return int(str(SERVICES[service].get("stop_grace_period", DOCKERS_OWN)).removesuffix("s"))


@pytest.mark.parametrize("queue", ["inventory", "orders", "notifications", "analytics"])
def test_a_worker_has_the_time_of_its_longest_handler(queue: str) -> None:
    handlers = [h for group in the_map().subscriptions.values() for h in group if h.consumer == queue]
    assert grace(f"worker-{queue}") >= max(handler.policy.limits.hard for handler in handlers) + TO_END


def test_the_web_has_the_time_that_it_gives_to_its_requests() -> None:
    assert grace("web") >= DRAIN_SECONDS + TO_END
