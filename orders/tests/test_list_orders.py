from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.db.models import QuerySet

from orders.models import Order
from orders.selectors import matching
from orders.services import confirm_orders
from testing.api import body, client_of, make_user, pointers
from testing.shop import place
from users.models import User

pytestmark = pytest.mark.django_db
URL = "/api/v1/orders"
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


def at_hours(user: User, *hours: float) -> list[str]:
    """Orders placed so many hours after noon; their numbers."""
    orders = [place(user, CUP=1) for _ in hours]
    for order, hour in zip(orders, hours, strict=True):
        Order.objects.filter(pk=order.pk).update(created_at=NOON + timedelta(hours=hour))
    return [order.number for order in orders]


def numbers(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [order["number"] for order in body(answer)["results"]]


def listed(user: User, **query: str) -> list[str]:
    """The numbers over all pages."""
    seen: list[str] = []
    link: str | None = f"{URL}?{urlencode(query)}"
    while link:
        answer = client_of(user).get(link)
        seen += numbers(answer)
        link = body(answer)["next"]
    return seen


def test_a_customer_sees_their_own_orders_the_newest_first(ada: User) -> None:
    first, second, third = at_hours(ada, 1, 2, 3)
    at_hours(make_user("grace"), 2)
    assert listed(ada) == [third, second, first]
    assert listed(ada, ordering="created_at") == [first, second, third]


def test_a_superuser_sees_all_orders(ada: User) -> None:
    mine, theirs = at_hours(ada, 1) + at_hours(make_user("grace"), 2)
    assert listed(make_user("sam", superuser=True)) == [theirs, mine]


def test_an_order_in_the_list_is_told_as_by_itself(ada: User) -> None:
    order = place(ada, CUP=2)
    page = body(client_of(ada).get(URL))
    assert page == {
        "next": None,
        "previous": None,
        "results": [body(client_of(ada).get(f"{URL}/{order.id}"))],
    }


@pytest.mark.parametrize("ordering", ["created_at", "-created_at"])
@pytest.mark.parametrize("size", ["1", "2", "3", "100"])
def test_pages_hold_every_order_once_even_of_one_moment(ada: User, ordering: str, size: str) -> None:
    placed = at_hours(ada, 1, 1, 1, 1, 1, 2, 0)
    seen = listed(ada, ordering=ordering, page_size=size)
    assert sorted(seen) == sorted(placed)
    assert seen[0] == (placed[6] if ordering == "created_at" else placed[5])


def test_an_order_that_comes_while_one_pages_moves_nothing(ada: User) -> None:
    first, second, third = at_hours(ada, 1, 2, 3)
    page = client_of(ada).get(f"{URL}?page_size=2")
    at_hours(ada, 4)
    assert numbers(page) + numbers(client_of(ada).get(body(page)["next"])) == [third, second, first]


def test_previous_leads_back(ada: User) -> None:
    first, second, third = at_hours(ada, 1, 2, 3)
    page = body(client_of(ada).get(f"{URL}?page_size=2"))
    last = body(client_of(ada).get(page["next"]))
    assert (page["previous"], last["next"]) == (None, None)
    assert numbers(client_of(ada).get(last["previous"])) == [third, second]
    assert first not in numbers(client_of(ada).get(last["previous"]))


def test_the_links_keep_the_filters(ada: User) -> None:
    orders = [place(ada, CUP=1) for _ in range(3)]
    for order in orders[:2]:
        confirm_orders([order.id])
    assert sorted(listed(ada, status="confirmed", page_size="1")) == sorted(order.number for order in orders[:2])


def test_the_status_filters(ada: User) -> None:
    one, other = place(ada, CUP=1), place(ada, CUP=1)
    confirm_orders([one.id])
    assert listed(ada, status="confirmed") == [one.number]
    assert listed(ada, status="pending") == [other.number]
    assert listed(ada, status="fulfilled") == []


def test_after_includes_its_moment_and_before_does_not(ada: User) -> None:
    _first, second, third = at_hours(ada, 1, 2, 3)
    assert listed(ada, created_after="2025-03-01T14:00:00Z") == [third, second]
    assert listed(ada, created_after="2025-03-01T14:00:00Z", created_before="2025-03-01T15:00:00Z") == [second]
    assert listed(ada, created_after="2025-03-01T16:00:00+02:00", created_before="2025-03-01T17:00:00+02:00") == [
        second
    ]


def test_a_time_may_be_written_in_lower_case(ada: User) -> None:
    (first,) = at_hours(ada, 1)
    assert listed(ada, created_after="2025-03-01t13:00:00z", created_before="2025-03-01t13:00:00.000001z") == [first]


def test_a_plus_that_arrived_as_a_space_gets_a_hint(ada: User) -> None:
    answer = client_of(ada).get(f"{URL}?created_after=2025-03-01T12:00:00+02:00")
    assert pointers(answer) == ["/created_after"]
    assert "%2B" in answer.json()["errors"][0]["detail"]
    assert "%2B" not in client_of(ada).get(f"{URL}?created_after=x").content.decode()


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2025-03-01T24:00:00Z", "2025-06-30T23:59:60Z"]
)
def test_a_moment_at_the_end_of_time_is_no_error(ada: User, moment: str) -> None:
    answer = client_of(ada).get(f"{URL}?{urlencode({'created_after': moment, 'created_before': moment})}")
    assert answer.status_code in (200, 400)


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ({"status": "lost"}, "/status"),
        ({"status": "PENDING"}, "/status"),
        ({"ordering": "total"}, "/ordering"),
        ({"ordering": "--created_at"}, "/ordering"),
        ({"ordering": "created_at,id"}, "/ordering"),
        ({"created_after": "yesterday"}, "/created_after"),
        ({"created_after": "2026-W01-1T00:00:00Z"}, "/created_after"),
        ({"created_after": "2025-03-01T12:00:00"}, "/created_after"),
        ({"created_after": "2025-03-01"}, "/created_after"),
        ({"created_after": "2025-02-30T00:00:00Z"}, "/created_after"),
        ({"created_after": "9999-12-31T23:59:59-14:00"}, "/created_after"),
        ({"created_before": "0001-01-01T00:00:00+14:00"}, "/created_before"),
        ({"created_before": "\0"}, "/created_before"),
        ({"number": "1042"}, "/number"),
        ({"number": "O-1 OR 1=1"}, "/number"),
        ({"customer": "ada"}, "/customer"),
        ({"page_size": "0"}, "/page_size"),
        ({"page_size": "101"}, "/page_size"),
        ({"page_size": "x"}, "/page_size"),
        ({"cursor": "x"}, "/cursor"),
        ({"cursor": "cD1hYmM="}, "/cursor"),
        ({"cursor": ""}, "/cursor"),
    ],
)
def test_an_unknown_value_is_refused_by_its_pointer(ada: User, query: dict[str, str], where: str) -> None:
    assert pointers(client_of(ada).get(f"{URL}?{urlencode(query)}")) == [where]


def test_a_page_costs_as_many_queries_whatever_its_size(ada: User, django_assert_num_queries: Any) -> None:
    at_hours(ada, *range(6))
    client = client_of(ada)
    for size in (1, 5):
        with django_assert_num_queries(3):  # the token, the orders, their lines
            client.get(f"{URL}?page_size={size}")


def expect_the_customers_index(orders: QuerySet[Order]) -> None:
    """Leave PostgreSQL no other index in order: of an empty table it takes any, and a test's table may look empty."""
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX order_newest")
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off")
    plan = orders.explain()
    assert "order_of_user" in plan
    assert "Sort" not in plan


def test_a_far_page_is_found_by_an_index_and_not_by_counting(ada: User) -> None:
    orders = Order.objects.filter(user=ada, created_at__lt=NOON)
    expect_the_customers_index(orders.order_by("-created_at", "-id")[:21])


def test_the_number_finds_one_order_and_only_among_those_one_may_see(ada: User) -> None:
    first, second = at_hours(ada, 1, 2)
    assert listed(ada, number=second) == [second]
    assert listed(ada, number=first.lower()) == [first]
    assert listed(ada, number="O-1") == []
    assert listed(make_user("grace"), number=first) == []
    assert listed(make_user("sam", superuser=True), number=first) == [first]


def test_staff_choose_a_customer_by_id_or_address(ada: User) -> None:
    mine, theirs = at_hours(ada, 1) + at_hours(make_user("grace"), 2)
    sam = make_user("sam", superuser=True)
    for customer in (str(ada.id), str(ada.id).upper(), "ada@example.com", "Ada@Example.com"):
        assert listed(sam, customer=customer) == [mine]
    assert listed(sam, customer="grace@example.com", status="pending") == [theirs]
    assert listed(sam, customer="nobody@example.com") == []


def test_a_customer_may_not_choose_a_customer(ada: User) -> None:
    at_hours(ada, 1)
    for customer in (str(ada.id), "ada@example.com"):
        assert pointers(client_of(ada).get(f"{URL}?{urlencode({'customer': customer})}")) == ["/customer"]


def test_the_orders_of_one_customer_are_found_by_an_index(ada: User) -> None:
    orders = matching(Order.objects.all(), customer="ada@example.com")
    expect_the_customers_index(orders.order_by("-created_at", "-id")[:21])
