import json
from typing import Any

import pytest
from django.contrib.auth.hashers import identify_hasher
from rest_framework.exceptions import ValidationError

from events.models import Delivery, Event
from events.tests.servers import at_once
from testing.api import body, check_problem, client_of, pointers
from users.models import User
from users.services import register

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_hasher")]
URL = "/api/v1/users"
PASSWORD = "correct horse battery"


def registration(**fields: Any) -> dict[str, Any]:
    return {"email": "ada@example.com", "password": PASSWORD} | fields


def test_a_person_registers_and_user_created_is_published() -> None:
    answer = client_of().post(URL, registration(full_name="Ada Lovelace"), headers={"X-Request-ID": "r-1"})
    user = User.objects.get()
    assert answer.status_code == 201
    assert answer["Location"] == f"/api/v1/users/{user.id}"
    assert body(answer) == {
        "id": str(user.id),
        "email": "ada@example.com",
        "full_name": "Ada Lovelace",
        "created_at": user.created_at.isoformat().replace("+00:00", "Z"),
    }
    event = Event.objects.get()
    assert (event.type, event.subject, event.correlation_id) == ("user.created.v1", user.id, "r-1")
    assert event.data == {"user_id": str(user.id)}
    assert Delivery.objects.get().handler == "notifications.send_welcome"


def test_the_id_is_a_uuid_of_version_7_and_the_name_is_optional() -> None:
    client_of().post(URL, registration())
    user = User.objects.get()
    assert user.id.version == 7
    assert user.full_name == ""


def test_nobody_becomes_staff_by_asking_for_it() -> None:
    assert pointers(client_of().post(URL, registration(is_staff=True, is_superuser=True))) == [
        "/is_staff",
        "/is_superuser",
    ]
    assert not User.objects.exists()


def test_the_address_is_kept_in_lower_case() -> None:
    assert body(client_of().post(URL, registration(email="Ada@Example.COM")))["email"] == "ada@example.com"


@pytest.mark.parametrize("email", ["ada@example.com", "ADA@example.com"])
def test_a_taken_address_is_refused_in_whatever_case(email: str) -> None:
    client_of().post(URL, registration())
    assert pointers(client_of().post(URL, registration(email=email))) == ["/email"]
    assert User.objects.count() == Event.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"email": "ada"}, ["/email"]),
        ({"email": ""}, ["/email"]),
        ({"email": None}, ["/email"]),
        ({"email": ["ada@example.com"]}, ["/email"]),
        ({"email": "a" * 250 + "@example.com"}, ["/email"]),
        ({"email": "İ" * 200 + "@example.com"}, ["/email"]),  # longer in lower case
        ({"email": "a\0@example.com"}, ["/email"]),
        ({"email": "ada@example.com\nBcc: all@example.com"}, ["/email"]),
        ({"password": "short"}, ["/password"]),
        ({"password": "password123"}, ["/password"]),
        ({"password": "ada@example.com"}, ["/password"]),
        ({"password": "Ada Lovelace", "full_name": "Ada Lovelace"}, ["/password"]),
        ({"password": "x" * 129}, ["/password"]),
        ({"password": {"a": 1}}, ["/password"]),
        ({"password": PASSWORD + "\0"}, ["/password"]),
        ({"full_name": "x" * 151}, ["/full_name"]),
        ({"full_name": None}, ["/full_name"]),
        ({"full_name": "\ud800"}, ["/full_name"]),
        ({"full_name": "Ada\nBuy at example.com"}, ["/full_name"]),
        ({"full_name": "Ada https://example.com"}, ["/full_name"]),
        ({"email": "ada", "password": None}, ["/email", "/password"]),
    ],
)
def test_invalid_input_is_refused_by_its_pointer_and_nothing_is_written(
    fields: dict[str, Any], where: list[str]
) -> None:
    answer = client_of().post(URL, json.dumps(registration(**fields)), content_type="application/json")
    assert sorted(set(pointers(answer))) == where
    assert User.objects.count() == Event.objects.count() == 0


def test_missing_fields_are_named() -> None:
    assert pointers(client_of().post(URL, {})) == ["/email", "/password"]


def test_the_answer_never_holds_the_password() -> None:
    answers = [
        client_of().post(URL, registration()),
        client_of().post(URL, registration(email="x", password="secret7")),
    ]
    assert [answer.status_code for answer in answers] == [201, 400]
    assert not any(word in bytes(answer.content) for answer in answers for word in (PASSWORD.encode(), b"secret7"))


def test_a_dead_token_does_not_stand_in_the_way() -> None:
    answer = client_of().post(URL, registration(), headers={"Authorization": "Bearer dead"})
    assert answer.status_code == 201


def test_a_form_is_not_taken() -> None:
    answer = client_of().post(URL, "email=a", content_type="application/x-www-form-urlencoded")
    check_problem(answer, 415, "unsupported_media_type")


def test_the_password_is_hashed_with_argon2(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    user = register(email="ada@example.com", password=PASSWORD)
    assert identify_hasher(user.password).algorithm == "argon2"
    assert PASSWORD not in user.password


@pytest.mark.django_db(transaction=True)
def test_of_many_who_register_one_address_at_once_one_succeeds() -> None:

    def try_it(number: int) -> bool:
        try:
            register(email="ada@example.com" if number % 2 else "Ada@example.com", password=PASSWORD)
        except ValidationError:
            return False
        return True

    assert sum(at_once(10, try_it)) == 1
    assert User.objects.count() == Event.objects.count() == Delivery.objects.count() == 1
