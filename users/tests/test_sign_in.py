from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import identify_hasher
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from knox.models import AuthToken

from testing.api import admin_client, body, check_problem, client_of, make_user, pointers
from users.models import User
from users.services import purge_expired_tokens, sign_in

pytestmark = pytest.mark.django_db
TOKEN, TOKENS, ME = "/api/v1/auth/token", "/api/v1/auth/tokens", "/api/v1/users/me"
PASSWORD, NEW = "correct horse battery", "staple of another kind"
CREDENTIALS = {"email": "ada@example.com", "password": PASSWORD}


@pytest.fixture
def with_password(quick_hasher: None) -> User:
    """A customer who can sign in."""
    return User.objects.create_user("ada@example.com", PASSWORD)


def me(token: str) -> int:
    return client_of().get(ME, headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_person_signs_in_and_the_token_works(with_password: User) -> None:
    answer = client_of().post(TOKEN, CREDENTIALS)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    issued = body(answer)
    assert issued.keys() == {"token", "expires_at"}
    expires = parse_datetime(issued["expires_at"])
    assert expires is not None
    assert timedelta(days=13) < expires - timezone.now() <= timedelta(days=14)
    shown = client_of().get(ME, headers={"Authorization": f"Bearer {issued['token']}"})
    assert body(shown)["id"] == str(with_password.id)


def test_the_token_is_stored_hashed(with_password: User) -> None:
    issued = sign_in(email="ada@example.com", password=PASSWORD)
    row = AuthToken.objects.values().get()
    assert issued.token not in [str(value) for value in row.values()]
    assert len(row["token_key"]) < len(issued.token) / 2


def test_signing_in_with_the_real_hasher() -> None:
    user = User.objects.create_user("ada@example.com", PASSWORD)
    assert identify_hasher(user.password).algorithm == "argon2"
    assert client_of().post(TOKEN, CREDENTIALS).status_code == 200
    assert client_of().post(TOKEN, CREDENTIALS | {"password": "wrong"}).status_code == 401


def test_the_case_of_the_address_does_not_matter_and_that_of_the_password_does(with_password: User) -> None:
    assert client_of().post(TOKEN, CREDENTIALS | {"email": "ADA@Example.com"}).status_code == 200
    assert client_of().post(TOKEN, CREDENTIALS | {"password": PASSWORD.upper()}).status_code == 401


def test_spaces_belong_to_a_password(with_password: User) -> None:
    assert client_of().post(TOKEN, CREDENTIALS | {"password": PASSWORD + " "}).status_code == 401


def test_an_unknown_user_a_wrong_password_and_a_closed_account_are_told_in_the_same_words(with_password: User) -> None:
    User.objects.create_user("closed@example.com", PASSWORD, is_active=False)
    answers = [
        client_of().post(TOKEN, {"email": "ada@example.com", "password": "wrong"}),
        client_of().post(TOKEN, {"email": "nobody@example.com", "password": PASSWORD}),
        client_of().post(TOKEN, {"email": "closed@example.com", "password": PASSWORD}),
    ]
    problems = [check_problem(answer, 401, "wrong_credentials") for answer in answers]
    assert len({(problem["title"], problem["detail"]) for problem in problems}) == 1
    assert {answer["WWW-Authenticate"] for answer in answers} == {"Bearer"}


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"email": None}, "/email"),
        ({"password": ""}, "/password"),
        ({"password": "x" * 129}, "/password"),
        ({"email": "a\0b"}, "/email"),
        ({"email": "x" * 255}, "/email"),
    ],
)
def test_input_that_cannot_be_credentials_is_refused_by_its_pointer(fields: dict[str, Any], where: str) -> None:
    assert pointers(client_of().post(TOKEN, CREDENTIALS | fields)) == [where]


def test_a_dead_token_does_not_stand_in_the_way_of_signing_in(with_password: User) -> None:
    answer = client_of().post(TOKEN, CREDENTIALS, headers={"Authorization": "Bearer dead"})
    assert answer.status_code == 200


def test_signing_out_kills_this_token_at_once_and_no_other(with_password: User) -> None:
    one, other = (sign_in(email="ada@example.com", password=PASSWORD).token for _ in range(2))
    assert client_of().delete(TOKEN, headers={"Authorization": f"Bearer {one}"}).status_code == 204
    assert (me(one), me(other)) == (401, 200)


def test_signing_out_everywhere_kills_all_tokens_of_this_user(with_password: User) -> None:
    one, other = (sign_in(email="ada@example.com", password=PASSWORD).token for _ in range(2))
    grace = client_of(make_user("grace"))
    assert client_of().delete(TOKENS, headers={"Authorization": f"Bearer {one}"}).status_code == 204
    assert (me(one), me(other), grace.get(ME).status_code) == (401, 401, 200)


@pytest.mark.parametrize("path", [TOKEN, TOKENS])
def test_signing_out_needs_a_token(path: str) -> None:
    check_problem(client_of().delete(path), 401, "not_authenticated")


def test_an_expired_token_is_dead_and_the_purge_deletes_it(with_password: User) -> None:
    expired, alive = (sign_in(email="ada@example.com", password=PASSWORD).token for _ in range(2))
    AuthToken.objects.filter(token_key=expired[:15]).update(expiry=timezone.now() - timedelta(seconds=1))
    assert (me(expired), me(alive)) == (401, 200)
    assert purge_expired_tokens() == 1
    assert AuthToken.objects.count() == 1


def test_the_tokens_of_a_closed_account_are_dead(with_password: User) -> None:
    token = sign_in(email="ada@example.com", password=PASSWORD).token
    User.objects.update(is_active=False)
    assert me(token) == 401


def test_a_token_of_any_bytes_is_401() -> None:
    token = AuthToken.objects.create(user=make_user())[1]
    garbage = ["", "x", "a b", token[:-1], f"{token}0", f"{token[:-1]}!", "x" * 7000, "\xe9\xff", "a\0b", "%00"]
    for value in garbage:
        answer = client_of().get(ME, HTTP_AUTHORIZATION=f"Bearer {value}")
        assert check_problem(answer, 401, "authentication_failed")["title"] == "Unauthorized"
        assert answer["WWW-Authenticate"] == "Bearer"
    assert me(token) == 200


def test_another_scheme_is_no_token() -> None:
    for value in ("Basic YTpi", "Token x", "BearerX y"):
        answer = client_of().get(ME, HTTP_AUTHORIZATION=value)
        check_problem(answer, 401, "not_authenticated")


def test_a_token_costs_one_query(with_password: User, django_assert_num_queries: Any) -> None:
    client = client_of(with_password)
    with django_assert_num_queries(1):
        assert client.get(ME).status_code == 200


@pytest.mark.parametrize("form", [{}, {"set-password": "yes"}])
def test_a_new_password_from_staff_ends_all_tokens_of_the_old_one(with_password: User, form: dict[str, str]) -> None:
    token = sign_in(email="ada@example.com", password=PASSWORD).token
    staff = admin_client(User.objects.create_superuser("boss@example.com"))
    page = reverse("admin:auth_user_password_change", args=[with_password.pk])
    wrong = {"password1": NEW, "password2": "another", "usable_password": "true"} | form
    assert staff.post(page, wrong).status_code == 200
    assert me(token) == 200
    assert staff.post(page, wrong | {"password2": NEW}).status_code == 302
    assert me(token) == 401
    assert me(sign_in(email="ada@example.com", password=NEW).token) == 200


def test_who_changes_their_own_password_ends_the_tokens_of_the_old_one(quick_hasher: None) -> None:
    boss = User.objects.create_superuser("boss@example.com", PASSWORD)
    token = sign_in(email="boss@example.com", password=PASSWORD).token
    given = {"old_password": "wrong", "new_password1": NEW, "new_password2": NEW}
    browser = admin_client(boss)
    assert browser.post("/admin/password_change/", given).status_code == 200
    assert me(token) == 200
    assert browser.post("/admin/password_change/", given | {"old_password": PASSWORD}).status_code == 302
    assert me(token) == 401
    assert browser.get("/admin/").status_code == 200
