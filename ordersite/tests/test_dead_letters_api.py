"""The dead letters over REST. Who may is in test_access.py."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.db.models.functions import Now

from events.models import Decision, Delivery
from events.tests.helpers import handler, make_due, nothing, only, published, run
from orders.models import Order
from orders.services import Item, place_order
from testing.api import body, check_problem, client_of, make_user, pointers
from testing.shop import RECEIVED, RESERVE, a_dead_letter, make_product, order_created
from users.models import User

pytestmark = pytest.mark.django_db
URL = "/api/v1/dead-letters"


@pytest.fixture
def staff(sam: User) -> Any:
    return client_of(sam)


def listed(client: Any, **query: str) -> list[str]:
    """The ids over all pages."""
    seen: list[str] = []
    link: str | None = f"{URL}?{urlencode(query)}"
    while link:
        answer = client.get(link)
        assert answer.status_code == 200, answer.content
        seen += [letter["id"] for letter in body(answer)["results"]]
        link = body(answer)["next"]
    return seen


def strings(*ids: UUID) -> list[str]:
    return [str(one) for one in ids]


def test_the_dead_are_listed_in_the_order_of_their_events(staff: Any) -> None:
    letters = [a_dead_letter() for _ in range(3)]
    published(order_created())
    assert listed(staff) == listed(staff, page_size="1") == strings(*letters)
    first = body(staff.get(f"{URL}?page_size=1"))["results"][0]
    assert first == {
        **first,
        "id": str(letters[0]),
        "queue": "notifications.dlq",
        "handler": RECEIVED,
        "event_type": "order.created.v1",
        "status": "dead",
        "reason": "permanent_error",
        "attempts": 1,
        "error_type": "events.errors.PermanentError",
        "error_message": "bad data",
        "fingerprint": only(pk=letters[0]).fingerprint,
    }


def test_they_are_filtered_by_handler_event_type_and_status(staff: Any) -> None:
    one, other, gone = a_dead_letter(RESERVE), a_dead_letter(), a_dead_letter()
    staff.post(f"{URL}/{gone}/discard", {"reason": "old"})
    assert listed(staff, handler=RESERVE) == strings(one)
    assert listed(staff, event_type="order.created.v1", handler=RECEIVED) == strings(other)
    assert listed(staff, event_type="order.cancelled.v1") == []
    assert listed(staff, status="discarded") == strings(gone)
    staff.post(f"{URL}/{other}/replay")
    assert listed(staff) == strings(one)
    assert listed(staff, status="pending") == strings(other)
    make_due(pk=other)
    run(handler(nothing, RECEIVED))
    assert listed(staff, status="done") == strings(other)


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ({"handler": "inventory.resreve"}, "/handler"),
        ({"event_type": "order.made.v1"}, "/event_type"),
        ({"event_type": "\0"}, "/event_type"),
        ({"status": "leased"}, "/status"),
        ({"status": "replayed"}, "/status"),
        ({"page_size": "101"}, "/page_size"),
        ({"cursor": "x"}, "/cursor"),
    ],
)
def test_an_unknown_value_is_refused_by_its_pointer(staff: Any, query: dict[str, str], where: str) -> None:
    assert pointers(staff.get(f"{URL}?{urlencode(query)}")) == [where]


def test_the_letters_of_a_handler_and_a_type_that_are_gone_can_be_asked_for(staff: Any) -> None:
    letter = a_dead_letter()
    Delivery.objects.filter(pk=letter).update(handler="notifications.gone", event_type="order.gone.v1")
    assert listed(staff, handler="notifications.gone", event_type="order.gone.v1") == strings(letter)


def test_a_letter_tells_all_that_is_known_of_it(staff: Any) -> None:
    letter = a_dead_letter(RESERVE)
    told = body(staff.get(f"{URL}/{letter}"))
    assert "in break_down" in told["traceback"]
    assert told["data"]["number"] == "O-1"
    (attempt,) = told["failed_attempts"]
    assert (attempt["number"], attempt["worker"], attempt["error_message"]) == (1, "test", "bad data")
    assert told["decisions"] == []
    assert told["discard_does"].startswith("Reject the order")
    assert told["flower_url"] == f"http://127.0.0.1:5555/task/{letter}"
    assert told["correlation_id"] == only(pk=letter).event.correlation_id


def test_a_page_costs_as_many_queries_whatever_its_size(staff: Any, django_assert_num_queries: Any) -> None:
    for _ in range(4):
        a_dead_letter()
    for size in (1, 3):
        with django_assert_num_queries(2):  # the token, the letters
            staff.get(f"{URL}?page_size={size}")


def test_a_far_page_is_found_by_an_index_and_not_by_counting() -> None:
    letter = a_dead_letter()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off")
    plan = Delivery.objects.filter(state__in=["dead"], id__gt=letter).order_by("id")[:21].explain()
    assert "delivery_letter" in plan
    assert "Sort" not in plan


def test_a_replay_is_accepted_once_and_then_refused(staff: Any) -> None:
    letter = a_dead_letter()
    answer = staff.post(f"{URL}/{letter}/replay")
    assert (answer.status_code, body(answer)["status"], body(answer)["attempts"]) == (202, "pending", 0)
    (decision,) = body(answer)["decisions"]
    assert (decision["action"], decision["by"]) == ("replay", "sam@example.com")
    check_problem(staff.post(f"{URL}/{letter}/replay"), 409, "not_dead")
    check_problem(staff.post(f"{URL}/{letter}/discard", {"reason": "late"}), 409, "not_dead")
    assert Decision.objects.count() == 1


def test_a_discard_rejects_the_order_and_keeps_the_reason(staff: Any) -> None:
    make_product("CUP")
    order = place_order(user_id=make_user("ada").id, items=[Item("CUP", 1)])
    letter = Delivery.objects.get(subject=order.id, handler=RESERVE)
    Delivery.objects.filter(pk=letter.pk).update(state="dead", reason="permanent_error", handled_at=Now())
    answer = staff.post(f"{URL}/{letter.id}/discard", {"reason": "cannot be"})
    assert (answer.status_code, body(answer)["status"], body(answer)["reason"]) == (200, "discarded", "")
    assert [(d["action"], d["reason"]) for d in body(answer)["decisions"]] == [("discard", "cannot be")]
    assert Order.objects.get().status == "rejected"


@pytest.mark.parametrize("given", [{}, {"reason": ""}, {"reason": "  "}, {"reason": None}, {"reason": "x" * 501}])
def test_a_discard_needs_a_reason(staff: Any, given: dict[str, Any]) -> None:
    letter = a_dead_letter()
    assert pointers(staff.post(f"{URL}/{letter}/discard", given)) == ["/reason"]
    assert only(pk=letter).state == "dead"


def test_what_is_not_there_is_404_and_what_never_died_409(staff: Any) -> None:
    published(order_created())
    alive = only(handler=RECEIVED).id
    for step, given in (("replay", {}), ("discard", {"reason": "x"})):
        check_problem(staff.post(f"{URL}/{uuid4()}/{step}", given), 404, "not_found")
        check_problem(staff.post(f"{URL}/{alive}/{step}", given), 409, "not_dead")
    for missing in (uuid4(), alive):
        check_problem(staff.get(f"{URL}/{missing}"), 404, "not_found")


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ({"handler": RESERVE}, 1),
        ({"event_type": "order.created.v1"}, 3),
        ({"event_type": "order.cancelled.v1"}, 0),
        ({"handler": RECEIVED, "event_type": "order.created.v1"}, 2),
        ({}, 3),
        (None, 3),
    ],
)
def test_many_are_replayed_by_handler_by_type_or_all(staff: Any, given: Any, count: int) -> None:
    for name in (RESERVE, RECEIVED, RECEIVED):
        a_dead_letter(name)
    answer = staff.post(f"{URL}/replay", given)
    assert (answer.status_code, body(answer)) == (202, {"count": count})
    assert Delivery.objects.filter(state="dead").count() == 3 - count


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"handler": "inventory.resreve"}, "/handler"),
        ({"handler": None}, "/handler"),
        ({"handlr": RESERVE}, "/handlr"),
        ({"event_type": ["order.created.v1"]}, "/event_type"),
        (["all"], ""),
    ],
)
def test_a_choice_that_makes_no_sense_replays_nothing(staff: Any, given: Any, where: str) -> None:
    letter = a_dead_letter()
    assert pointers(staff.post(f"{URL}/replay", given)) == [where]
    assert only(pk=letter).state == "dead"
