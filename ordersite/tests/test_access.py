"""Who may do what: every route, asked by everybody."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db.models.functions import Now
from django.test import Client

from analytics.models import Report
from analytics.tests.reporting import ready_report
from events.models import Delivery
from inventory.tests.shop import make_product
from orders.models import Order
from orders.tests.placing import place, place_confirmed
from ordersite.tests.contract import check_described
from ordersite.tests.routes import admin_pages, api_operations, routes_beside_the_api
from users.models import User
from users.tests.api import client_of, make_user, pointers

pytestmark = pytest.mark.django_db

ANYONE = (200, 200, 200, 200)
SIGNED_IN = (401, 200, 200, 200)
OWNER_OR_STAFF = (401, 404, 200, 200)
STAFF = (401, 403, 403, 200)
THE_ONE_WHO_ASKED = (401, 404, 404, 200)  # here that is staff


def created(who: tuple[int, ...], status: int) -> tuple[int, ...]:
    return tuple(status if answer == 200 else answer for answer in who)


# What each gets: somebody without a token, another customer, the owner, staff.
TABLE: dict[str, tuple[int, ...]] = {
    "POST users": created(ANYONE, 201),
    "GET users/me": SIGNED_IN,
    "PATCH users/me": SIGNED_IN,
    "GET users/{user_id}": OWNER_OR_STAFF,
    "POST auth/token": ANYONE,
    "DELETE auth/token": created(SIGNED_IN, 204),
    "DELETE auth/tokens": created(SIGNED_IN, 204),
    "GET products": ANYONE,
    "POST products": created(STAFF, 201),
    "GET products/{sku}": ANYONE,
    "PATCH products/{sku}": STAFF,
    "POST products/{sku}/stock-adjustments": created(STAFF, 201),
    "GET orders": SIGNED_IN,
    "POST orders": created(SIGNED_IN, 201),
    "GET orders/{order_id}": OWNER_OR_STAFF,
    "POST orders/{order_id}/cancel": OWNER_OR_STAFF,
    "POST orders/{order_id}/fulfil": STAFF,
    "GET orders/{order_id}/timeline": OWNER_OR_STAFF,
    "GET analytics/sales": STAFF,
    "POST reports": created(STAFF, 202),
    "GET reports/{report_id}": THE_ONE_WHO_ASKED,
    "GET reports/{report_id}/download": THE_ONE_WHO_ASKED,
    "DELETE reports/{report_id}": created(THE_ONE_WHO_ASKED, 204),
    "GET dead-letters": STAFF,
    "GET dead-letters/{letter_id}": STAFF,
    "POST dead-letters/replay": created(STAFF, 202),
    "POST dead-letters/{letter_id}/replay": created(STAFF, 202),
    "POST dead-letters/{letter_id}/discard": STAFF,
}
# What is open to everybody, and answers each the same.
OPEN = {
    "api/schema": 200,
    "api/docs": 200,
    "api/docs/problems": 200,
    "api/docs/problems/<str:code>": 200,
    "api/events": 200,
    "api/events/asyncapi.json": 200,
    "api/events/schemas/<str:name>.json": 200,
    "health/live": 200,
    "health/ready": 200,
    "metrics": 200,
    "admin": 302,
    "": 404,  # any other path
}
BODIES: dict[str, Any] = {
    "POST users": {"email": "new@example.com", "password": "correct horse battery"},
    "PATCH users/me": {"full_name": "New"},
    "POST auth/token": {"email": "ada@example.com", "password": "correct horse battery"},
    "POST products": {"sku": "NEW", "name": "New", "price": "1.00"},
    "PATCH products/{sku}": {"name": "New"},
    "POST products/{sku}/stock-adjustments": {"quantity": 1, "reason": "found"},
    "POST orders": {"items": [{"sku": "CUP", "quantity": 1}]},
    "POST reports": {"kind": "orders", "from": "2025-01-01", "to": "2025-01-31", "format": "csv"},
    "POST dead-letters/{letter_id}/discard": {"reason": "not needed"},
}


@pytest.fixture
def people(settings: Any) -> list[User | None]:
    """Somebody without a token, another customer, the owner (ada), staff."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    ada = User.objects.create_user("ada@example.com", "correct horse battery")
    return [None, make_user("grace"), ada, make_user("sam", staff=True)]


def dead_letter(order: Order) -> UUID:
    """Make a dead letter of one of the order's deliveries."""
    letter = Delivery.objects.filter(subject=order.id, handler="analytics.track_order").earliest("id")
    Delivery.objects.filter(pk=letter.pk).update(state="dead", reason="permanent_error", handled_at=Now())
    return letter.id


def filled_in(path: str, ada: User, sam: User | None, order: Order) -> str:
    """The path with ids of what there is: ada's order, sam's report."""
    assert sam is not None
    report = ready_report(sam).id
    return path.format(user_id=ada.id, order_id=order.id, sku="CUP", letter_id=dead_letter(order), report_id=report)


def test_every_operation_stands_in_the_table() -> None:
    assert api_operations() == set(TABLE)


def test_every_route_beside_the_api_is_known() -> None:
    assert routes_beside_the_api() == set(OPEN) | {"admin/"}


@pytest.mark.parametrize("path", sorted(OPEN))
def test_what_is_open_answers_everybody_the_same(people: list[User | None], path: str) -> None:
    asked = f"/{path or 'nothing'}".replace("<str:code>", "not_found").replace("<str:name>", "user.created.v1")
    assert [client_of(person).get(asked).status_code for person in people] == [OPEN[path]] * 4


def test_no_page_of_the_admin_is_shown_to_who_is_not_staff(people: list[User | None]) -> None:
    pages = set(admin_pages()) - {"admin/login/", "admin/logout/"}
    assert len(pages) > 50
    for person in people[:3]:
        client = Client()
        if person is not None:
            client.force_login(person)
        for page in sorted(pages):
            answer = client.get(f"/{page}")
            assert answer.status_code == 302, page
            assert answer["Location"].startswith("/admin/login/"), page


@pytest.mark.parametrize("operation", sorted(TABLE))
@pytest.mark.parametrize("asks", range(4), ids=["anonymous", "another", "owner", "staff"])
def test_each_gets_what_the_table_says(people: list[User | None], operation: str, asks: int) -> None:
    make_product("CUP")
    ada = people[2]
    assert ada is not None
    order = place_confirmed(ada, CUP=1)
    method, path = operation.split(" ")
    path = filled_in(path, ada, people[3], order)
    query = "?from=2025-01-01&to=2025-01-02" if path == "analytics/sales" else ""
    client = client_of(people[asks])
    answer = getattr(client, method.lower())(f"/api/v1/{path}{query}", BODIES.get(operation))
    assert answer.status_code == TABLE[operation][asks], answer.content
    check_described(operation.replace(" ", " /api/v1/"), answer)


@pytest.mark.parametrize("operation", sorted(name for name, who in TABLE.items() if 403 in who or 404 in who))
def test_whoever_may_not_changes_nothing(people: list[User | None], operation: str) -> None:
    make_product("CUP", pieces=5)
    ada = people[2]
    assert ada is not None
    order = place_confirmed(ada, CUP=1)

    def seen() -> Any:
        return (
            list(Order.objects.values()),
            list(User.objects.order_by("id").values()),
            list(Delivery.objects.order_by("id").values()),
            list(Report.objects.values()),
            client_of().get("/api/v1/products").content,
        )

    method, path = operation.split(" ")
    path = filled_in(path, ada, people[3], order)
    before = seen()
    for person in people[:2]:
        getattr(client_of(person), method.lower())(f"/api/v1/{path}", BODIES.get(operation))
    assert seen() == before


@pytest.mark.parametrize("operation", sorted(name for name in TABLE if name.split()[0] in ("POST", "PATCH")))
def test_a_field_that_nobody_knows_is_refused_by_its_name(people: list[User | None], operation: str) -> None:
    make_product("CUP")
    ada, staff = people[2:]
    assert ada is not None
    order = place_confirmed(ada, CUP=1)
    method, path = operation.split(" ")
    path = filled_in(path, ada, people[3], order)
    given = {"surprise": 1, **BODIES.get(operation, {})}
    assert pointers(getattr(client_of(staff), method.lower())(f"/api/v1/{path}", given)) == ["/surprise"]


@pytest.mark.parametrize("path", ["users/{}", "orders/{}", "orders/{}/timeline", "orders/{}/cancel"])
def test_what_is_another_s_is_told_as_what_is_not_there(people: list[User | None], path: str) -> None:
    make_product("CUP")
    _, grace, ada, _ = people
    assert ada is not None
    order = place(ada, CUP=1)
    theirs = ada.id if path.startswith("users") else order.id
    method = "post" if path.endswith("cancel") else "get"
    answers = [getattr(client_of(grace), method)(f"/api/v1/{path.format(i)}") for i in (theirs, uuid4())]
    foreign, missing = ({k: v for k, v in answer.json().items() if k != "request_id"} for answer in answers)
    assert foreign == missing
    assert foreign["status"] == 404
