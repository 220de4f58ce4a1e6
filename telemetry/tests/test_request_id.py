import logging
from uuid import UUID

import pytest

from events.correlation import RequestIdFilter, current
from events.models import Event
from orders.models import Order
from testing.api import body, client_of, make_user
from testing.shop import items, make_product

pytestmark = pytest.mark.django_db
LIVE = "/health/live"


@pytest.mark.parametrize("given", ["a", "till-4", "A.b_c:d/e+f=g-1", "0" * 128, str(UUID(int=7))])
def test_the_caller_s_own_id_is_kept(given: str) -> None:
    assert client_of().get(LIVE, HTTP_X_REQUEST_ID=given)["X-Request-ID"] == given


@pytest.mark.parametrize(
    "given",
    [
        "",
        " ",
        "a b",
        "x" * 129,
        "<script>",
        "é",
        "a\0b",
        'a"b',
        "a;b",
        "a\r\nSet-Cookie: b=1",
        "a\n",
        "%0a",
        "http://x.example",
    ],
)
def test_an_id_that_is_none_is_replaced_by_one_of_ours(given: str) -> None:
    answer = client_of().get(LIVE, HTTP_X_REQUEST_ID=given)
    assert UUID(answer["X-Request-ID"]).version == 7
    assert answer.status_code == 200


def test_each_request_without_an_id_gets_another() -> None:
    assert len({client_of().get(LIVE)["X-Request-ID"] for _ in range(3)}) == 3


@pytest.mark.parametrize("path", ["/nothing", "/api/orders", "/admin/", "/admin/login/", "/api/v1/orders", LIVE])
def test_every_kind_of_answer_tells_the_id(path: str) -> None:
    assert client_of().get(path, HTTP_X_REQUEST_ID="here")["X-Request-ID"] == "here"


def test_an_answer_to_an_unknown_host_tells_the_id() -> None:
    answer = client_of().get("/api/v1/products", HTTP_HOST="evil.example", HTTP_X_REQUEST_ID="here")
    assert (answer.status_code, body(answer)["request_id"]) == (400, "here")


def test_every_event_of_an_order_carries_the_id_of_the_request_that_it_follows_from() -> None:
    make_product("CUP")
    client = client_of(make_user())
    client.post("/api/v1/orders", items(CUP=1), HTTP_X_REQUEST_ID="one")
    client.post(f"/api/v1/orders/{Order.objects.get().id}/cancel", HTTP_X_REQUEST_ID="two")
    assert list(Event.objects.order_by("sequence").values_list("correlation_id", flat=True)) == ["one", "two"]


def test_the_id_ends_with_its_request() -> None:
    client_of().get(LIVE, HTTP_X_REQUEST_ID="one")
    assert current() == ""


def test_log_lines_carry_the_id(caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(RequestIdFilter())
    make_product("CUP")
    client = client_of(make_user())
    with caplog.at_level(logging.INFO):
        client.post("/api/v1/auth/token", "{", content_type="application/json", HTTP_X_REQUEST_ID="logged")
    ours = {record.request_id for record in caplog.records}  # type: ignore[attr-defined]
    assert ours == {"logged"}
