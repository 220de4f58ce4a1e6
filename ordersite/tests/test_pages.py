"""Pages of lists: each found by an index, however far, and however many rows are equal in what they go by."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import Product
from inventory.serializers import ORDERINGS
from testing.api import body, client_of, pointers
from testing.shop import make_product

pytestmark = pytest.mark.django_db
URL = "/api/v1/products"


@pytest.fixture
def equals() -> list[str]:
    """Products of one name and one price, so that only the last column tells them apart."""
    skus = [f"CUP-{number}" for number in range(7)]
    for sku in skus:
        make_product(sku)
    Product.objects.update(name="Cup", price="1.00")
    return skus


def pages(link: str | None, direction: str = "next") -> list[list[str]]:
    """The skus of each page, from this link on."""
    found = []
    while link:
        page = body(client_of().get(link))
        found.append([product["sku"] for product in page["results"]])
        link = page[direction]
    return found


@pytest.mark.parametrize("ordering", ORDERINGS)
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_equal_rows_are_told_once_each_there_and_back(equals: list[str], ordering: str, size: int) -> None:
    there = pages(f"{URL}?ordering={ordering}&page_size={size}")
    assert [sku for page in there for sku in page] == sorted(equals, reverse=ordering.startswith("-"))
    assert [len(page) for page in there[:-1]] == [size] * (len(there) - 1)
    if len(there) > 1:
        link = f"{URL}?ordering={ordering}&page_size={size}"
        while (page := body(client_of().get(link)))["next"]:
            link = page["next"]
        back = pages(page["previous"], "previous")
        assert [sku for page in reversed(back) for sku in page] == [sku for page in there[:-1] for sku in page]


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_a_far_page_is_found_by_the_ordering_s_index_and_not_by_counting(equals: list[str], ordering: str) -> None:
    second = body(client_of().get(f"{URL}?ordering={ordering}&page_size=2"))["next"]
    with CaptureQueriesContext(connection) as queries:
        client_of().get(second)
    (statement,) = (q["sql"] for q in queries if "LIMIT" in q["sql"])
    plan = explain(statement)
    assert "Index Cond" in plan
    assert "Sort" not in plan.replace("Sort Key", "")
    assert "OFFSET" not in statement


def explain(statement: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
        cursor.execute(f"EXPLAIN {statement}")
        rows: list[Any] = cursor.fetchall()
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("name", ["page_size", "cursor"])
def test_what_is_given_twice_could_mean_either(name: str) -> None:
    assert pointers(client_of().get(f"{URL}?{name}=5&{name}=50")) == [f"/{name}"]
