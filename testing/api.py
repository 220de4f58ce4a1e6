"""What the tests of all apps share: people, their clients, and a look at answers."""

from typing import Any, cast

from django.http import HttpResponse
from django.test import Client
from knox.models import AuthToken
from rest_framework.test import APIClient

from users.models import User

PROBLEM_FIELDS = {"type", "title", "status", "detail", "code", "request_id"}


def make_user(name: str = "ada", *, staff: bool = False, superuser: bool = False) -> User:
    """A person with no password: signing in is what few tests are about. Staff without groups have no permissions."""
    return User.objects.create_user(
        f"{name}@example.com", full_name=name.title(), is_staff=staff or superuser, is_superuser=superuser
    )


def client_of(user: User | None = None) -> APIClient:
    """A client that the site treats as any other (CSRF included), signed in where there is a user."""
    client = APIClient(enforce_csrf_checks=True)
    client.default_format = "json"
    if user is not None:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {AuthToken.objects.create(user=user)[1]}")
    return client


def admin_client(user: User) -> Client:
    """A browser that is signed in to the admin."""
    client = Client()
    client.force_login(user)
    return client


def body(answer: Any) -> dict[str, Any]:
    """The JSON object of an answer."""
    return cast(dict[str, Any], answer.json())


def check_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """Hold an error answer against what is promised of all of them, and return its body."""
    assert isinstance(answer, HttpResponse)
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    problem = body(answer)
    assert problem.keys() - {"errors"} == PROBLEM_FIELDS
    assert all(problem[field] for field in PROBLEM_FIELDS)
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["request_id"] == answer["X-Request-ID"]
    assert ("errors" in problem) == (status == 400 and code == "invalid_input")
    return problem


def pointers(answer: Any) -> list[str]:
    """Where an answer says that the input is wrong."""
    problem = check_problem(answer, 400, "invalid_input")
    assert problem["errors"]
    assert all(error["detail"] for error in problem["errors"])
    return [error["pointer"] for error in problem["errors"]]
