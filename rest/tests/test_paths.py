from typing import Any
from urllib.parse import urlsplit

import pytest

from events.models import Decision, Delivery
from testing.api import body, check_problem, client_of, make_user
from testing.reporting import ready_report
from testing.shop import items, make_product, place

pytestmark = pytest.mark.django_db


def test_every_path_answers_with_and_without_a_slash_at_the_end() -> None:
    make_product("CUP")
    staff = make_user("sam", superuser=True)
    order = place(staff, CUP=1)
    letter = Delivery.objects.filter(subject=order.id).earliest("id")
    Decision.objects.create(delivery=letter, action="replay", by="ann")
    client = client_of(staff)
    for path in (
        "users/me",
        f"users/{staff.id}",
        "products",
        "products/CUP",
        "orders",
        f"orders/{order.id}",
        f"orders/{order.id}/timeline",
        "analytics/sales?from=2025-01-01&to=2025-01-02",
        "dead-letters",
        f"dead-letters/{letter.id}",
        f"reports/{ready_report(staff).id}",
    ):
        bare, _, query = f"/api/v1/{path}".partition("?")
        one, other = (client.get(f"{bare}{slash}?{query}") for slash in ("", "/"))
        assert (one.status_code, other.status_code) == (200, 200), path
        assert one.content == other.content


def test_a_post_to_a_path_with_a_slash_is_no_redirect() -> None:
    make_product("CUP")
    assert client_of(make_user()).post("/api/v1/orders/", items(CUP=1)).status_code == 201


@pytest.mark.parametrize("path", ["/api/v1/orders//", "/api/v1//orders", "/api/v1/", "/api/v1", "/api/v1/Orders"])
def test_a_path_that_is_none_is_404(path: str) -> None:
    check_problem(client_of(make_user()).get(path), 404, "not_found")


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
@pytest.mark.parametrize("path", ["/api/v1/nothing", "/nothing", "/", "/api", "/health", "/health/ready/x"])
def test_an_unknown_path_is_404_whatever_the_method(method: str, path: str) -> None:
    answer = getattr(client_of(), method)(path)
    assert path in check_problem(answer, 404, "not_found")["detail"]


@pytest.mark.parametrize(
    ("given", "leads_to"),
    [
        ("/api/orders", "/api/v1/orders"),
        ("/api/orders/", "/api/v1/orders/"),
        ("/api/users/me", "/api/v1/users/me"),
        ("/api/orders?status=pending&cursor=a%2Bb", "/api/v1/orders?status=pending&cursor=a%2Bb"),
        ("/api/api/orders", "/api/v1/api/orders"),
        ("/api/é?q=%C3%A9", "/api/v1/%C3%A9?q=%C3%A9"),
        ("/api/v10/orders", "/api/v1/v10/orders"),
        ("/api/nothing", "/api/v1/nothing"),
    ],
)
def test_an_unversioned_path_leads_to_version_1(given: str, leads_to: str) -> None:
    answer = client_of().get(given)
    assert (answer.status_code, answer["Location"], answer.content) == (308, leads_to, b"")
    assert answer["X-Request-ID"]


@pytest.mark.parametrize("given", ["/api//evil.example/x", "/api/http://evil.example", "/api/\\evil.example"])
def test_the_redirect_stays_on_this_site(given: str) -> None:
    leads_to = urlsplit(client_of().get(given)["Location"])
    assert (leads_to.scheme, leads_to.netloc) == ("", "")
    assert leads_to.path.startswith("/api/v1/")


def test_a_client_of_the_old_paths_keeps_its_method_and_body() -> None:
    make_product("CUP")
    client = client_of(make_user())
    answer: Any = client.post("/api/orders", items(CUP=2), follow=True)
    assert answer.redirect_chain == [("/api/v1/orders", 308)]
    assert (answer.status_code, body(answer)["total"]) == (201, "5.00")


@pytest.mark.parametrize("page", ["/api/schema", "/api/docs", "/api/events", "/api/events/asyncapi.json"])
def test_the_pages_beside_the_versions_are_not_redirected(page: str) -> None:
    assert client_of().get(page).status_code != 308
