"""What could mean several things is refused, not guessed at."""

from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework import serializers

from ordersite.openapi import DESCRIBED
from rest.rfc3339 import DayField, TimeField
from testing.api import check_problem, client_of, make_user, pointers
from testing.shop import make_product, place

pytestmark = pytest.mark.django_db
SALES = "/api/v1/analytics/sales?from=2025-01-01&to={}"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("orders?status=", ["/status"]),
        ("orders?ordering=&created_after=&created_before=", ["/created_after", "/created_before", "/ordering"]),
        ("orders?status=pending&status=bogus", ["/status"]),
        ("orders?status=bogus&status=pending", ["/status"]),
        ("products?ordering=", ["/ordering"]),
        ("dead-letters?handler=&event_type=&status=", ["/event_type", "/handler", "/status"]),
        ("analytics/sales?from=2025-01-01&to=2025-01-02&interval=", ["/interval"]),
        ("analytics/sales?from=2025-01-01&to=2025-01-02&group=product&sku=&status=", ["/sku", "/status"]),
    ],
)
def test_a_filter_that_is_empty_or_given_twice_is_400(query: str, names: list[str]) -> None:
    assert sorted(pointers(client_of(make_user(superuser=True)).get(f"/api/v1/{query}"))) == names


def test_a_search_for_nothing_finds_all() -> None:
    make_product("CUP")
    assert len(client_of().get("/api/v1/products?search=").json()["results"]) == 1


@pytest.mark.parametrize(
    ("path", "given", "names"),
    [
        ("users", {"email": 5, "password": 1234567890123, "full_name": 1.5}, ["/email", "/full_name", "/password"]),
        ("auth/token", {"email": 5, "password": 5}, ["/email", "/password"]),
        ("orders", {"items": [{"sku": 5, "quantity": 1}]}, ["/items/0/sku"]),
        ("products", {"sku": 5, "name": 6, "price": 9.5, "is_active": 1}, ["/is_active", "/name", "/price", "/sku"]),
        ("products", {"sku": "A", "name": "A", "price": "1e2", "is_active": "yes"}, ["/is_active", "/price"]),
        ("products", {"sku": "A", "name": "A", "price": "-0"}, ["/price"]),
        ("products/CUP/stock-adjustments", {"quantity": 1, "reason": 5}, ["/reason"]),
        ("dead-letters/replay", {"handler": 5}, ["/handler"]),
        ("reports", {"kind": 5, "from": 1, "to": 2, "format": 3}, ["/format", "/from", "/kind", "/to"]),
    ],
)
def test_a_value_of_another_type_is_400(path: str, given: Any, names: list[str]) -> None:
    make_product("CUP")
    assert sorted(pointers(client_of(make_user(superuser=True)).post(f"/api/v1/{path}", given))) == names


@pytest.mark.parametrize("given", ["[]", "0", "false", '""', "null", "[1]", '"x"'])
def test_a_request_without_fields_takes_an_object_or_nothing(given: str) -> None:
    make_product("CUP")
    ada = make_user()
    order, client = place(ada, CUP=1), client_of(ada)
    path = f"/api/v1/orders/{order.id}/cancel"
    assert pointers(client.post(path, given, content_type="application/json")) == [""]
    assert client.post(path, "{}", content_type="application/json").status_code == 200


@pytest.mark.parametrize("day", ["20250101", "2025-W01-1", "2025-1-1", "2025-01-01T00:00:00Z", "01.01.2025"])
def test_a_day_is_written_in_one_way(day: str) -> None:
    staff = client_of(make_user(superuser=True))
    assert pointers(staff.get(f"/api/v1/analytics/sales?from={day}&to=2025-01-31")) == ["/from"]
    report = {"kind": "sales", "from": day, "to": "2025-01-31"}
    assert pointers(staff.post("/api/v1/reports", report)) == ["/from"]


def fields_of(serializer: Any) -> Iterator[serializers.Field[Any, Any, Any, Any]]:
    """All that it takes, to any depth."""
    inner = getattr(serializer, "child", None)
    for field in [inner] if inner else getattr(serializer, "fields", {}).values():
        if not field.read_only:
            yield field
            yield from fields_of(field)


@pytest.mark.parametrize("name", sorted(DESCRIBED.operations))
def test_no_input_takes_a_time_or_a_day_but_as_in_rfc_3339(name: str) -> None:
    operation = DESCRIBED.operations[name]
    inputs = [operation.query, operation.body.serializer if operation.body else None]
    for field in (field for serializer in inputs if serializer for field in fields_of(serializer())):
        if isinstance(field, serializers.DateTimeField | serializers.DateField | serializers.TimeField):
            assert isinstance(field, TimeField | DayField), field


def test_a_period_has_366_days_at_most_its_ends_among_them() -> None:
    staff = client_of(make_user(superuser=True))
    assert staff.get(SALES.format("2026-01-01")).status_code == 200
    assert pointers(staff.get(SALES.format("2026-01-02"))) == ["/to"]


def test_ids_may_be_written_in_capitals() -> None:
    make_product("CUP")
    ada = make_user()
    order = place(ada, CUP=1)
    answer = client_of(ada).get(f"/api/v1/orders/{str(order.id).upper()}")
    assert (answer.status_code, answer.json()["id"]) == (200, str(order.id))


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_health_and_metrics_answer_with_a_slash_too(path: str) -> None:
    assert client_of().get(f"{path}/").status_code == 200
    check_problem(client_of().get(f"{path}//"), 404, "not_found")
