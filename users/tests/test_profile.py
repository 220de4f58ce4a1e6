from typing import Any
from uuid import uuid4

import pytest

from testing.api import body, check_problem, client_of, make_user, pointers
from users.models import User
from users.services import rename

pytestmark = pytest.mark.django_db
ME = "/api/v1/users/me"


def test_a_person_sees_their_account() -> None:
    ada = make_user()
    shown = body(client_of(ada).get(ME))
    assert shown.keys() == {"id", "email", "full_name", "created_at"}
    assert (shown["id"], shown["email"], shown["full_name"]) == (str(ada.id), "ada@example.com", "Ada")


def test_a_person_changes_their_name() -> None:
    ada = make_user()
    answer = client_of(ada).patch(ME, {"full_name": " Ada King "})
    assert answer.status_code == 200
    assert body(answer)["full_name"] == "Ada King"
    ada.refresh_from_db()
    assert ada.full_name == "Ada King"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email", "eve@example.com"),
        ("id", "0193b1c5-02b4-7d10-8f2e-6a9c3e5d7b11"),
        ("is_staff", True),
        ("fullname", "Eve"),
    ],
)
def test_what_a_person_may_not_change_is_refused_by_name_and_nothing_is_changed(name: str, value: Any) -> None:
    ada = make_user()
    assert pointers(client_of(ada).patch(ME, {"full_name": "Ada King", name: value})) == [f"/{name}"]
    ada.refresh_from_db()
    assert (ada.full_name, ada.email, ada.is_staff) == ("Ada", "ada@example.com", False)


def test_a_change_of_nothing_is_fine() -> None:
    assert client_of(make_user()).patch(ME, {}).status_code == 200


def test_a_new_name_does_not_undo_what_somebody_else_changed_meanwhile() -> None:
    ada = make_user()
    User.objects.update(is_active=False)
    rename(ada, full_name="Ada King")
    assert User.objects.values_list("full_name", "is_active").get() == ("Ada King", False)


@pytest.mark.parametrize(
    "name", [None, "x" * 151, "a\0b", ["Ada"], {}, "Ada\r\nKing", "Ada\u2028King", "see http://x.example"]
)
def test_a_bad_name_is_refused_by_its_pointer(name: Any) -> None:
    assert set(pointers(client_of(make_user()).patch(ME, {"full_name": name}))) == {"/full_name"}
    assert User.objects.get().full_name == "Ada"


@pytest.mark.parametrize("given", ["null", "[]", "5", '"Ada"'])
def test_a_body_that_is_no_object_is_refused(given: str) -> None:
    answer = client_of(make_user()).patch(ME, given, content_type="application/json")
    assert pointers(answer) == [""]


def test_a_superuser_sees_every_account_and_a_customer_only_their_own() -> None:
    ada, grace, staff = make_user("ada"), make_user("grace"), make_user("sam", superuser=True)
    assert body(client_of(ada).get(f"/api/v1/users/{ada.id}"))["email"] == "ada@example.com"
    assert body(client_of(staff).get(f"/api/v1/users/{ada.id}"))["email"] == "ada@example.com"
    check_problem(client_of(grace).get(f"/api/v1/users/{ada.id}"), 404, "not_found")


def test_an_account_that_is_not_there_is_told_as_one_of_somebody_else() -> None:
    ada, grace = make_user("ada"), make_user("grace")
    missing = check_problem(client_of(ada).get(f"/api/v1/users/{uuid4()}"), 404, "not_found")
    foreign = check_problem(client_of(ada).get(f"/api/v1/users/{grace.id}"), 404, "not_found")
    assert missing["detail"] == foreign["detail"]


@pytest.mark.parametrize("user_id", ["1", "not-a-uuid", "%00", "0" * 36])
def test_an_id_that_is_none_is_404(user_id: str) -> None:
    check_problem(client_of(make_user()).get(f"/api/v1/users/{user_id}"), 404, "not_found")
