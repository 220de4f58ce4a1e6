"""Every POST that changes something is done once under its Idempotency-Key, however often it is sent."""

import hashlib
from typing import Any

import psycopg
import pytest
from django.db import connection

from analytics.models import Report
from events.models import Decision, Event
from inventory.models import Movement, Product
from orders.models import Order, StatusChange
from rest.models import StoredAnswer
from rest.tests.test_access import BODIES, filled_in
from testing.api import check_problem, client_of, make_user, pointers
from testing.contract import api_operations, api_routes, check_described
from testing.shop import make_product, place_confirmed
from users.models import User

pytestmark = pytest.mark.django_db

POSTS = sorted(name for name in api_operations() if name.startswith("POST "))
IGNORE_THE_KEY = ["POST auth/token", "POST users"]  # docs/limits.md says so
HONOUR_THE_KEY = [name for name in POSTS if name not in IGNORE_THE_KEY]
WITH_A_PATH = [name for name in HONOUR_THE_KEY if "{" in name]


class Sent:
    """One operation that a member of staff may send, again and again."""

    def __init__(self, operation: str) -> None:
        make_product("CUP", pieces=10)
        make_product("TEA", pieces=10)
        self.operation = operation.replace(" ", " /api/v1/")
        self.sam = make_user("sam", superuser=True)
        self.client = client_of(self.sam)
        self.body = BODIES.get(operation)
        self.template = operation.removeprefix("POST ")
        self.path = self.filled_in()

    def filled_in(self) -> str:
        order = place_confirmed(self.sam, CUP=1)
        return filled_in(self.template.replace("{sku}", "TEA"), self.sam, order)

    def send(self, key: str = "key", *, path: str = "", body: Any = None, **headers: str) -> Any:
        headers = {"Idempotency-Key": key} | headers
        return self.client.post(f"/api/v1/{path or self.path}", body or self.body, headers=headers)


@pytest.fixture
def sent(request: pytest.FixtureRequest) -> Sent:
    return Sent(request.param)


def written() -> list[int]:
    """How much there is of all that a POST may write."""
    models = (Decision, Event, Movement, Order, Product, Report, StatusChange, StoredAnswer, User)
    return [model.objects.count() for model in models]


def test_each_post_honours_the_key_or_is_documented_as_one_that_ignores_it() -> None:
    posts = {f"POST {path}": getattr(view, "post", None) for path, view in api_routes()}
    declared = {name: getattr(post, "answered_once", None) for name, post in posts.items()}
    assert {name for name in POSTS if declared[name] is None} == set(IGNORE_THE_KEY)
    assert {name: declared[name] for name in HONOUR_THE_KEY} == {n: n.replace(" ", " /") for n in HONOUR_THE_KEY}


@pytest.mark.parametrize("sent", HONOUR_THE_KEY, indirect=True)
def test_a_repetition_gets_the_first_answer_and_changes_nothing(sent: Sent) -> None:
    first = sent.send()
    assert 200 <= first.status_code < 300, first.content
    assert "Idempotent-Replayed" not in first
    before = written()
    again = sent.send()
    assert written() == before
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert [again.get(name) for name in ("Location", "Content-Type")] == [
        first.get(name) for name in ("Location", "Content-Type")
    ]
    assert again["Idempotent-Replayed"] == "true"
    check_described(sent.operation, first)
    check_described(sent.operation, again)


@pytest.mark.parametrize("sent", HONOUR_THE_KEY, indirect=True)
def test_the_same_key_with_another_body_is_422(sent: Sent) -> None:
    sent.send()
    check_problem(sent.send(body={"another": "body"}), 422, "idempotency_key_reused")


@pytest.mark.parametrize("sent", WITH_A_PATH, indirect=True)
def test_the_same_key_with_another_path_is_422_and_changes_nothing(sent: Sent) -> None:
    sent.send()
    other = "products/CUP/stock-adjustments" if "sku" in sent.template else sent.filled_in()
    before = written()
    check_problem(sent.send(path=other), 422, "idempotency_key_reused")
    assert written() == before
    assert sent.send("another", path=other).status_code < 300


@pytest.mark.parametrize("sent", HONOUR_THE_KEY, indirect=True)
def test_while_the_first_is_at_work_a_repetition_is_told_when_to_ask_again(sent: Sent) -> None:
    name = f"{sent.sam.id} {sent.operation.replace('/api/v1', '')} key"
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    before = written()
    with psycopg.connect(**connection.get_connection_params()) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        answer = sent.send()
    check_problem(answer, 409, "idempotency_key_in_use")
    assert answer["Retry-After"] == "1"
    check_described(sent.operation, answer)
    assert written() == before
    assert sent.send().status_code < 300


@pytest.mark.parametrize("sent", HONOUR_THE_KEY, indirect=True)
def test_a_refused_request_stores_no_answer(sent: Sent) -> None:
    assert pointers(sent.send(body={"surprise": 1}))
    assert not StoredAnswer.objects.exists()
    assert "Idempotent-Replayed" not in sent.send()


@pytest.mark.parametrize("sent", HONOUR_THE_KEY, indirect=True)
def test_a_key_that_cannot_be_one_is_refused(sent: Sent) -> None:
    before = written()
    assert pointers(sent.send("x" * 256)) == ["/Idempotency-Key"]
    assert written() == before


@pytest.mark.parametrize("operation", IGNORE_THE_KEY)
def test_registration_and_sign_in_ignore_the_key(operation: str, settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    User.objects.create_user("ada@example.com", "correct horse battery")
    path, body = f"/api/v1/{operation.removeprefix('POST ')}", BODIES[operation]
    answers = [client_of().post(path, body, headers={"Idempotency-Key": "x" * 256}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == ([201, 400] if operation == "POST users" else [200, 200])
    assert not StoredAnswer.objects.exists()


def test_what_is_not_committed_stores_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent("POST products/{sku}/stock-adjustments")
    before = written()
    monkeypatch.setattr("inventory.views.StockSerializer.to_representation", lambda *_: 1 / 0)
    assert sent.send().status_code == 500
    assert written() == before
    monkeypatch.undo()
    assert sent.send().status_code == 201


def test_many_dead_letters_are_replayed_together_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent("POST dead-letters/replay")
    sent.filled_in()
    monkeypatch.setattr("events.letters.dead_letters.CHUNK", 1)
    monkeypatch.setattr("rest.idempotency._store", lambda *_: 1 / 0)
    assert sent.send().status_code == 500
    assert not Decision.objects.exists()
    monkeypatch.undo()
    assert sent.send().json() == {"count": 2}
    assert sent.send().json() == {"count": 2}
