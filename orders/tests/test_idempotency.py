import hashlib
import json
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from events.models import Event
from events.tests.servers import at_once
from orders.models import Order
from rest import idempotency
from rest.idempotency import Answer
from rest.models import StoredAnswer
from testing.api import body, check_problem, client_of, make_user, pointers
from testing.shop import items, make_product
from users.models import User

pytestmark = pytest.mark.django_db
URL = "/api/v1/orders"


def post(user: User, given: Any, key: str = "key-1") -> Any:
    return client_of(user).post(
        URL, json.dumps(given), content_type="application/json", headers={"Idempotency-Key": key}
    )


def lock_number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def age(hours: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE orders_storedanswer SET created_at = now() - make_interval(secs => %s)", [3600 * hours])


def test_the_first_answer_is_given_again_byte_for_byte(ada: User) -> None:
    first, again = post(ada, items(CUP=1)), post(ada, items(CUP=1))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert first["Location"] == again["Location"]
    assert first["Content-Type"] == again["Content-Type"]
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert Order.objects.count() == Event.objects.count() == 1


def test_the_answer_is_that_of_then_even_when_the_order_has_gone_on(ada: User) -> None:
    first = post(ada, items(CUP=1))
    Order.objects.update(status="confirmed")
    assert post(ada, items(CUP=1)).content == first.content


def test_a_replayed_answer_has_the_id_of_the_request_that_asks(ada: User) -> None:
    answers = [post(ada, items(CUP=1)) for _ in range(2)]
    assert answers[0]["X-Request-ID"] != answers[1]["X-Request-ID"]


def test_the_same_key_with_another_body_is_422_and_makes_no_order(ada: User) -> None:
    post(ada, items(CUP=1))
    check_problem(post(ada, items(CUP=2)), 422, "idempotency_key_reused")
    assert Order.objects.count() == 1
    assert post(ada, items(CUP=1))["Idempotent-Replayed"] == "true"


def test_spaces_and_the_order_of_fields_do_not_make_another_body(ada: User) -> None:
    post(ada, {"items": [{"sku": "CUP", "quantity": 1}]})
    raw = b'{ "items" : [ {"quantity":1,   "sku":"CUP"} ] }'
    again = client_of(ada).post(URL, raw, content_type="application/json", headers={"Idempotency-Key": "key-1"})
    assert again["Idempotent-Replayed"] == "true"


def test_the_same_key_while_the_first_is_at_work_is_409_at_once(ada: User) -> None:
    with psycopg.connect(**connection.get_connection_params()) as other, other.cursor() as cursor:
        number = lock_number(f"{ada.id} POST /orders key-1")
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        check_problem(post(ada, items(CUP=1)), 409, "idempotency_key_in_use")
        assert post(ada, items(CUP=1), key="key-2").status_code == 201
    assert post(ada, items(CUP=1)).status_code == 201


def test_repetitions_at_once_of_what_is_done_are_all_answered(ada: User) -> None:
    first = post(ada, items(CUP=1))
    with psycopg.connect(**connection.get_connection_params()) as other, other.cursor() as cursor:
        number = lock_number(f"{ada.id} POST /orders key-1")
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        again = post(ada, items(CUP=1))
        assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (201, first.content, "true")
        check_problem(post(ada, items(CUP=2)), 422, "idempotency_key_reused")


@pytest.mark.parametrize("other", [{"items": []}, {}, [], {"items": [{"sku": " CUP ", "quantity": 1}]}])
def test_a_used_key_with_a_body_that_is_not_valid_is_422_too(ada: User, other: Any) -> None:
    post(ada, items(CUP=1))
    check_problem(post(ada, other), 422, "idempotency_key_reused")


def test_keys_belong_to_one_user(ada: User) -> None:
    grace = make_user("grace")
    answers = [post(ada, items(CUP=1)), post(grace, items(CUP=1))]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert "Idempotent-Replayed" not in answers[1]
    assert Order.objects.count() == 2


def test_a_refused_request_may_be_sent_again_with_its_key(ada: User) -> None:
    assert pointers(post(ada, items(TEA=1))) == ["/items/0/sku"]
    assert not StoredAnswer.objects.exists()
    make_product("TEA")
    answer = post(ada, items(TEA=1))
    assert answer.status_code == 201
    assert "Idempotent-Replayed" not in answer


def test_a_key_is_kept_for_24_hours(ada: User) -> None:
    post(ada, items(CUP=1))
    age(23.9)
    assert post(ada, items(CUP=1))["Idempotent-Replayed"] == "true"
    assert idempotency.purge_answers() == 0
    age(24.1)
    assert "Idempotent-Replayed" not in post(ada, items(CUP=5))
    assert Order.objects.count() == 2


def test_the_purge_deletes_what_is_over(ada: User) -> None:
    post(ada, items(CUP=1))
    age(24.1)
    post(ada, items(CUP=1), key="key-2")
    assert idempotency.purge_answers() == 1
    assert StoredAnswer.objects.get().key == "key-2"


@pytest.mark.parametrize("key", ["", "x" * 256, "ключ".encode().decode("latin-1"), "a\tb", "\x7f", "\0"], ids=repr)
def test_a_key_that_is_not_1_to_255_printable_characters_is_refused(ada: User, key: str) -> None:
    answer = client_of(ada).post(URL, items(CUP=1), HTTP_IDEMPOTENCY_KEY=key)
    assert pointers(answer) == ["/Idempotency-Key"]
    assert not Order.objects.exists()


@pytest.mark.parametrize("key", ["x", "x" * 255, '"quoted"', "a b; c=d", "'; DROP TABLE"])
def test_any_printable_key_is_taken(ada: User, key: str) -> None:
    assert [post(ada, items(CUP=1), key).status_code for _ in range(2)] == [201, 201]
    assert Order.objects.count() == 1


def test_without_a_key_each_request_is_an_order(ada: User) -> None:
    for _ in range(2):
        assert client_of(ada).post(URL, items(CUP=1)).status_code == 201
    assert Order.objects.count() == 2
    assert not StoredAnswer.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_fifty_requests_with_one_key_at_once_make_one_order() -> None:
    make_product("CUP")
    ada = make_user("ada")
    clients = [client_of(ada) for _ in range(50)]

    def send(number: int) -> Any:
        return clients[number].post(URL, items(CUP=1), headers={"Idempotency-Key": "one"})

    answers = at_once(50, send)
    assert Order.objects.count() == Event.objects.count() == StoredAnswer.objects.count() == 1
    taken = [answer for answer in answers if answer.status_code == 201]
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in taken}) == 1
    assert sum("Idempotent-Replayed" not in answer for answer in taken) == 1
    for answer in answers:
        if answer.status_code == 409:
            check_problem(answer, 409, "idempotency_key_in_use")
    assert body(taken[0])["number"] == Order.objects.get().number


@pytest.mark.django_db(transaction=True)
def test_what_rolls_back_stores_no_answer() -> None:
    make_product("CUP")
    ada = make_user("ada")
    with transaction.atomic():
        assert post(ada, items(CUP=1)).status_code == 201
        transaction.set_rollback(True)
    assert StoredAnswer.objects.count() == Order.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_is_not_seen_is_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    make_product("CUP")
    ada = make_user()
    post(ada, items(CUP=1))
    stored = StoredAnswer.objects.get()
    monkeypatch.setattr(idempotency, "_lock_and_look", lambda asked: (True, None))
    assert post(ada, items(CUP=1)).status_code == 500
    assert StoredAnswer.objects.get().body == stored.body
    assert Order.objects.count() == Event.objects.count() == 1


def answered(
    user: User, answer: Answer, *, route: str = "POST /orders", key: str = "key-1", body: Any = None
) -> Answer:
    asked = idempotency._Asked(user.id, route, key, idempotency._fingerprint(body, {}))
    return idempotency._answer_once(asked, lambda: answer)


def test_another_key_or_another_route_asks_for_something_else(ada: User) -> None:
    first, second, third = (Answer(201, text, "/there") for text in (b"first", b"second", b"third"))
    assert answered(ada, first) == first
    assert answered(ada, second, key="key-2") == second
    assert answered(ada, third, route="/api/v1/reports") == third
    assert answered(ada, third).body == b"first"


def test_an_answer_takes_the_whole_place_of_one_whose_time_is_over(ada: User) -> None:
    answered(ada, Answer(201, b"first", "/first"), body={"number": 1})
    age(24.1)
    second = Answer(202, b"second", "/second")
    answered(ada, second, body={"number": 2})
    again = answered(ada, Answer(201, b"third", "/third"), body={"number": 2})
    assert again == replace(second, replayed=True)
