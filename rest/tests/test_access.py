"""Who may do what: every route, asked by everybody."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models.functions import Now
from django.test import Client
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from analytics.models import Report
from events.models import Delivery
from inventory.models import Product, StockItem
from orders.models import Order
from rest.access import DeclaredAccess
from testing.api import client_of, make_user, pointers
from testing.contract import METHODS, admin_pages, api_operations, api_routes, check_described, routes_beside_the_api
from testing.contract import OPERATIONS as DESCRIBED
from testing.reporting import ready_report
from testing.shop import make_product, place_confirmed
from users.models import User

pytestmark = pytest.mark.django_db

GROUPS = ("viewer", "order clerk", "stock keeper", "operator", "analyst")
WALKERS = ("anonymous", "another", "permitted customer", "owner", "staff of no group", *GROUPS, "superuser")
NOBODY: frozenset[str] = frozenset()
SEE_ORDERS = {"viewer", "order clerk", "operator"}
SEE_LETTERS = {"viewer", "operator"}


@dataclass(frozen=True)
class Row:
    """What an operation answers where it succeeds, the permissions that it needs, and the groups that have them.

    `permissions` are sets, of which one is enough. `owner`: they need none. `others`: what staff and customers without
    the permissions get; `sees`: the groups that may see the thing but not act on it, which get 403 in place of that.
    """

    status: int
    permissions: list[set[str]]
    groups: Collection[str] = NOBODY
    signed_in: bool = True
    owner: bool = False
    others: int = 403
    sees: Collection[str] = NOBODY

    def expected(self, walker: str) -> int:
        """Return the status that this person gets."""
        if walker == "anonymous" and self.signed_in:
            return 401
        if not self.permissions or walker in {"superuser", *self.groups} or (self.owner and walker == "owner"):
            return self.status
        return 403 if walker in self.sees else self.others


def anyone(status: int = 200) -> Row:
    return Row(status, [], signed_in=False)


def signed_in(status: int = 200) -> Row:
    return Row(status, [])


def staff(permission: str, groups: Collection[str], status: int = 200) -> Row:
    return Row(status, [{permission}], groups)


def viewers(app: str, model: str, groups: Collection[str]) -> Row:
    return Row(200, [{f"{app}.view_{model}"}, {f"{app}.change_{model}"}], groups)


def owner_or(row: Row, others: int = 404, sees: Collection[str] = NOBODY) -> Row:
    return replace(row, owner=True, others=others, sees=sees)


def report(status: int = 200) -> Row:
    """Those with the permission have their own alone, and this one is the superuser's."""
    return Row(status, [{"analytics.request_report"}], others=404)


# Operation: who may use it. The admin's groups may do over REST what their pages let them do (test_admin_groups.py).
TABLE: dict[str, Row] = {
    "POST users": anyone(201),
    "GET users/me": signed_in(),
    "PATCH users/me": signed_in(),
    "GET users/{user_id}": owner_or(
        Row(
            200,
            [{"ordersite.view_customer"}, {"ordersite.change_customer"}, {"users.view_user"}, {"users.change_user"}],
            SEE_ORDERS,
        )
    ),
    "POST auth/token": anyone(),
    "DELETE auth/token": signed_in(204),
    "DELETE auth/tokens": signed_in(204),
    "GET products": anyone(),
    "POST products": staff("inventory.add_product", {"stock keeper"}, 201),
    "GET products/{sku}": anyone(),
    "PATCH products/{sku}": staff("inventory.change_product", {"stock keeper"}),
    "POST products/{sku}/stock-adjustments": staff("inventory.change_product", {"stock keeper"}, 201),
    "GET orders": owner_or(viewers("orders", "order", SEE_ORDERS), others=200),
    "POST orders": signed_in(201),
    "GET orders/{order_id}": owner_or(viewers("orders", "order", SEE_ORDERS)),
    "POST orders/{order_id}/cancel": owner_or(staff("orders.change_order", {"order clerk"}), sees=SEE_ORDERS),
    "POST orders/{order_id}/fulfil": staff("orders.change_order", {"order clerk"}),
    "GET orders/{order_id}/timeline": owner_or(viewers("orders", "order", SEE_ORDERS)),
    "GET analytics/sales": Row(
        200, [{"analytics.view_dailysales", "analytics.view_dailyproductsales"}], {"viewer", "analyst"}
    ),
    "POST reports": staff("analytics.request_report", {"analyst"}, 202),
    "GET reports/{report_id}": report(),
    "GET reports/{report_id}/download": report(),
    "DELETE reports/{report_id}": report(204),
    "GET dead-letters": viewers("events", "deadletter", SEE_LETTERS),
    "GET dead-letters/{letter_id}": viewers("events", "deadletter", SEE_LETTERS),
    "POST dead-letters/replay": staff("events.decide_deadletter", {"operator"}, 202),
    "POST dead-letters/{letter_id}/replay": staff("events.decide_deadletter", {"operator"}, 202),
    "POST dead-letters/{letter_id}/discard": staff("events.decide_deadletter", {"operator"}),
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


@dataclass(frozen=True)
class World:
    """Everybody who walks, and what there is: ada's order, a dead letter about it, the superuser's report."""

    people: dict[str, User | None]
    order: Order
    letter: UUID
    report: Report

    @property
    def ada(self) -> User:
        """Return the owner."""
        assert self.people["owner"]
        return self.people["owner"]

    @property
    def boss(self) -> User:
        """Return the superuser."""
        assert self.people["superuser"]
        return self.people["superuser"]

    def ask(self, operation: str, person: User | None, body: Any = None, report: Report | None = None) -> Any:
        """Call an operation as this person."""
        method, path = operation.split(" ")
        ids = {"user_id": self.ada.id, "order_id": self.order.id, "sku": "CUP", "letter_id": self.letter}
        path = path.format(**ids, report_id=(report or self.report).id)
        query = "?from=2025-01-01&to=2025-01-02" if path == "analytics/sales" else ""
        body = BODIES.get(operation) if body is None else body
        return getattr(client_of(person), method.lower())(f"/api/v1/{path}{query}", body)


@pytest.fixture
def world(quick_hasher: None, reports_folder: Path) -> World:
    make_product("CUP", pieces=5)
    ada = User.objects.create_user("ada@example.com", "correct horse battery")
    boss = User.objects.create_superuser("boss@example.com")
    people: dict[str, User | None] = {
        "anonymous": None,
        "another": make_user("grace"),
        "permitted customer": make_user("kim"),
        "owner": ada,
        "staff of no group": make_user("sam", staff=True),
        **{group: make_user(group.replace(" ", "-"), staff=True) for group in GROUPS},
        "superuser": boss,
    }
    for group in GROUPS:
        people[group].groups.add(Group.objects.get(name=group))  # type: ignore[union-attr]
    people["permitted customer"].user_permissions.set(Permission.objects.all())  # type: ignore[union-attr]
    order = place_confirmed(ada, CUP=1)
    return World(people, order, dead_letter(order), ready_report(boss))


def dead_letter(order: Order) -> UUID:
    """Make a dead letter of one of the order's deliveries."""
    letter = Delivery.objects.filter(subject=order.id, handler="analytics.track_order").earliest("id")
    Delivery.objects.filter(pk=letter.pk).update(state="dead", reason="permanent_error", handled_at=Now())
    return letter.id


def filled_in(path: str, user: User, order: Order) -> str:
    """Return a path with ids of what there is: the user, the order, a dead letter of it, a report of the user."""
    ids = {"letter_id": dead_letter(order), "report_id": ready_report(user).id}
    return path.format(user_id=user.id, order_id=order.id, sku="CUP", **ids)


@contextmanager
def undone() -> Iterator[None]:
    """Undo what is done to the database within."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def everything() -> Any:
    """Return what an operation may change."""
    return (
        list(Order.objects.values()),
        list(User.objects.order_by("id").values()),
        list(Delivery.objects.order_by("id").values()),
        list(Report.objects.values()),
        list(Product.objects.values()),
        list(StockItem.objects.values()),
    )


def test_every_operation_stands_in_the_table() -> None:
    assert api_operations() == set(TABLE)


def test_every_view_of_the_api_declares_who_may_use_each_of_its_methods() -> None:
    for path, view in api_routes():
        assert list(view.permission_classes) == [DeclaredAccess], path
        assert set(view.access) == set(view().allowed_methods) & set(METHODS), path


def test_every_route_beside_the_api_is_known() -> None:
    assert routes_beside_the_api() == set(OPEN) | {"admin/"}


@pytest.mark.parametrize("path", sorted(OPEN))
def test_what_is_open_answers_everybody_the_same(world: World, path: str) -> None:
    asked = f"/{path or 'nothing'}".replace("<str:code>", "not_found").replace("<str:name>", "user.created.v1")
    statuses = {client_of(world.people[walker]).get(asked).status_code for walker in ("anonymous", "owner", "viewer")}
    assert statuses == {OPEN[path]}


def test_no_page_of_the_admin_is_shown_to_who_is_not_staff(world: World) -> None:
    pages = set(admin_pages()) - {"admin/login/", "admin/logout/"}
    assert len(pages) > 50
    for walker in ("anonymous", "another", "permitted customer", "owner"):
        client = Client()
        person = world.people[walker]
        if person is not None:
            client.force_login(person)
        for page in sorted(pages):
            answer = client.get(f"/{page}")
            assert answer.status_code == 302, page
            assert answer["Location"].startswith("/admin/login/"), page


@pytest.mark.parametrize("operation", sorted(TABLE))
def test_each_gets_what_the_table_says_and_whoever_may_not_changes_nothing(world: World, operation: str) -> None:
    before = everything()
    for walker in WALKERS:
        with undone():
            answer = world.ask(operation, world.people[walker])
            assert answer.status_code == TABLE[operation].expected(walker), (walker, answer.content)
            check_described(operation.replace(" ", " /api/v1/"), answer)
            assert answer.status_code < 400 or everything() == before, walker


@pytest.mark.parametrize("operation", sorted(name for name, row in TABLE.items() if row.permissions))
def test_each_set_of_permissions_is_enough_and_less_is_not(world: World, operation: str) -> None:
    row = TABLE[operation]
    for permissions in row.permissions:
        for given in (permissions, *(permissions - {one} for one in permissions)):
            with undone():
                kim = make_user("kai", staff=True)
                kim.user_permissions.set(permission(name) for name in given)
                answer = world.ask(operation, kim, report=ready_report(kim))
                refused = 403 if "reports/{" in operation else row.others  # it is theirs
                check_described(operation.replace(" ", " /api/v1/"), answer)
                assert answer.status_code == (row.status if given == permissions else refused), given


def permission(name: str) -> Permission:
    app, codename = name.split(".")
    return Permission.objects.get(content_type__app_label=app, codename=codename)


@pytest.mark.parametrize("operation", sorted(TABLE))
def test_the_document_names_the_permissions_of_each_operation(operation: str) -> None:
    row = TABLE[operation]
    described = DESCRIBED[operation.replace(" ", " /api/v1/")]
    if row.owner or not row.permissions:
        assert described["security"] == ([{"bearer": []}] if row.signed_in else [])
    else:
        assert [set(each["bearer"]) for each in described["security"]] == row.permissions
    named = set(re.findall(r"`([a-z]+\.(?:view|add|change|decide|request)_[a-z]+)`", described["description"]))
    assert named == set().union(*row.permissions)


def test_whoever_may_see_orders_is_given_all_of_them_and_others_their_own(world: World) -> None:
    for walker in WALKERS[1:]:
        listed = world.ask("GET orders", world.people[walker]).json()["results"]
        assert len(listed) == (walker in {"owner", "superuser", *SEE_ORDERS}), walker


def test_errors_of_handlers_are_shown_to_whoever_may_see_orders(world: World) -> None:
    for walker in ("owner", "superuser", *SEE_ORDERS):
        (event,) = world.ask("GET orders/{order_id}/timeline", world.people[walker]).json()["results"][:1]
        assert ("last_error" in event["deliveries"][0]) is (walker != "owner"), walker


def test_staff_act_on_their_own_orders_as_any_customer_does(world: World) -> None:
    sam = world.people["staff of no group"]
    Order.objects.update(user=sam)
    assert world.ask("POST orders/{order_id}/fulfil", sam).status_code == 403
    (event,) = world.ask("GET orders/{order_id}/timeline", sam).json()["results"][:1]
    assert "last_error" not in event["deliveries"][0]
    assert world.ask("POST orders/{order_id}/cancel", sam).status_code == 200


def test_a_view_that_names_nobody_opens_to_nobody() -> None:
    class Forgotten(APIView):
        def get(self, request: Any) -> Any:
            raise AssertionError

    request = APIRequestFactory().get("/")
    force_authenticate(request, User(is_superuser=True, is_staff=True))
    assert Forgotten.as_view()(request).status_code == 403


@pytest.mark.parametrize("operation", sorted(name for name in TABLE if name.split()[0] in ("POST", "PATCH")))
def test_a_field_that_nobody_knows_is_refused_by_its_name(world: World, operation: str) -> None:
    given = {"surprise": 1, **BODIES.get(operation, {})}
    assert pointers(world.ask(operation, world.boss, given)) == ["/surprise"]


@pytest.mark.parametrize("path", ["users/{}", "orders/{}", "orders/{}/timeline", "orders/{}/cancel"])
@pytest.mark.parametrize("walker", ["another", "staff of no group"])
def test_what_is_another_s_is_told_as_what_is_not_there(world: World, path: str, walker: str) -> None:
    theirs = world.ada.id if path.startswith("users") else world.order.id
    method = "post" if path.endswith("cancel") else "get"
    client = client_of(world.people[walker])
    answers = [getattr(client, method)(f"/api/v1/{path.format(i)}") for i in (theirs, uuid4())]
    foreign, missing = ({k: v for k, v in answer.json().items() if k != "request_id"} for answer in answers)
    assert foreign == missing
    assert foreign["status"] == 404
