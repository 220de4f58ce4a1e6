"""What all processes of a running system have logged, as in production: one JSON object a line."""

import json
import re
from typing import Any
from uuid import uuid4

from events.tests.waiting import until
from ordersite.subscriptions import CONSUMERS
from tests.journeys.client import Answer, Api, call
from tests.journeys.collector import Collector
from tests.journeys.system import FLOWER_AUTH, GRPC_TOKEN, OURS, PASSWORD, System

SKU = "TEA-ASSAM-100"
# What stands between the lines: the supervisor's own, and what Celery's worker says to a terminal when it is stopped.
NOT_LOGGED = re.compile(r"(ended |still there |worker: (Warm|Cold) shutdown|$)")
ADDRESS = re.compile(r"[\w.+-]+(@|%40)([\w-]+\.)+[a-z]{2,}")


def place(api: Api, request_id: str = "") -> Answer:
    headers = {"X_Request_ID": request_id} if request_id else {}
    answer = api.post("/orders", {"items": [{"sku": SKU, "quantity": 1}]}, **headers)
    assert answer.status == 201, answer.body
    return answer


def follows(system: System, request_id: str) -> list[dict[str, Any]]:
    """The lines that a request's id finds."""
    return [line for line in system.log() if request_id in (line["request_id"], *line.get("request_ids", []))]


def test_every_line_of_every_process_is_one_object(system: System, ada: Api) -> None:
    place(ada)
    lines = [line for line in system.lines(*OURS) if not NOT_LOGGED.match(line)]
    assert [line for line in lines if not line.startswith("{")] == []
    told = [json.loads(line) for line in lines]
    of_all = {"time", "level", "logger", "message", "process", "request_id"}
    assert [line for line in told if not of_all <= line.keys()] == []
    assert all(line["time"].endswith("+00:00") for line in told)
    assert {line["process"] for line in told} >= {
        *("web", "grpc", "relay", "beat"),
        *(f"worker-{queue}" for queue in (*CONSUMERS, "maintenance")),
    }


def test_a_request_id_finds_all_that_follows_from_an_order(system: System, ada: Api) -> None:
    request_id = f"logged-{uuid4()}"
    order = place(ada, request_id).json

    def whole() -> list[dict[str, Any]]:
        lines = follows(system, request_id)
        return lines if len(lines) >= 15 else []

    lines = until("all is logged", whole)
    handled = {line["handler"]: line for line in lines if line.get("outcome") == "done"}
    handlers = {
        *("inventory.reserve_items", "orders.confirm", "analytics.track_order"),
        *("notifications.send_order_received", "notifications.send_order_confirmed"),
    }
    assert handled.keys() == handlers
    assert {line["handler"] for line in lines if line["process"] == "relay"} == handlers
    assert {line["template"] for line in lines if "template" in line} == {"order_received", "order_confirmed"}
    assert handled["orders.confirm"]["process"] == "worker-orders"
    assert handled["orders.confirm"]["subject"] == order["id"]
    assert handled["orders.confirm"]["delivery"] == system.delivery(order, "orders.confirm")[0]
    assert handled["orders.confirm"]["attempt"] == 1
    (asked,) = [line for line in lines if line["process"] == "web"]
    assert (asked["method"], asked["route"], asked["status"]) == ("POST", "/api/v1/orders", 201)
    assert asked["user_id"] == ada.get("/users/me").json["id"]
    assert asked["milliseconds"] > 0
    assert {line["trace_id"] for line in lines if "request_ids" not in line} == {asked["trace_id"]}


def test_each_fact_is_told_once(system: System, ada: Api) -> None:
    request_id = f"once-{uuid4()}"
    place(ada, request_id)
    until("all is logged", lambda: len(follows(system, request_id)) >= 15)
    until("a plain task of beat's has ended", lambda: succeeded(system, "inventory.check_stock"))
    assert not succeeded(system, "inventory.reserve_items")


def succeeded(system: System, task: str) -> list[str]:
    """What Celery and Django themselves say of this task's success."""
    told = [line["message"] for line in system.log() if line["logger"] in ("celery.app.trace", "django.request")]
    return [line for line in told if task in line and "succeeded" in line]


def test_a_mail_server_s_answer_brings_no_address_into_the_log(system: System, ada: Api, collector: Collector) -> None:
    request_id = f"refused-{uuid4()}"
    with system.mail_answering("450 4.2.1 ada@example.com has no room: password=hunter2"):
        place(ada, request_id)

        def retry() -> list[dict[str, Any]]:
            return [line for line in follows(system, request_id) if line.get("outcome") == "retry"]

        (line, *_) = until("the failure is logged", retry)
        trace = line["trace_id"]
        failed = until("the failure is in the trace", lambda: [span for span in collector.of(trace) if span.failed])
    assert line["level"] == "WARNING"
    assert line["error"] == "Interrupted"
    assert "450" in line["message"]
    assert "[hidden] has no room" in line["message"]
    assert "hunter2" not in str(follows(system, request_id))
    assert {span.attributes["error.type"] for span in failed} == {"notifications.services.Interrupted"}


def test_no_process_has_logged_a_secret_or_an_address(system: System, ada: Api) -> None:
    place(ada)
    url, wrong = f"{system.web}/api/v1/auth/token", {"email": "ada@example.com", "password": "wrong-journey-word"}
    assert call("POST", url, wrong).status == 401
    assert (
        call("GET", f"{system.web}/api/v1/orders?token={ada.token}", Authorization=f"Bearer {ada.token}x").status == 401
    )
    assert call("GET", f"{system.web}/api/v1/users/ada%40example.com").status == 404
    logged = (system.folder / "run.log").read_text()
    assert '"status": 401' in logged
    given = [PASSWORD, FLOWER_AUTH.partition(":")[2], GRPC_TOKEN, system.environment["SECRET_KEY"]]
    secrets = [*given, wrong["password"], ada.token]
    assert not [secret for secret in secrets if secret in logged]
    ours = "\n".join(system.lines(*OURS))
    assert not ADDRESS.search(ours), ADDRESS.search(ours)
