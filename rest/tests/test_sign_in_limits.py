"""Sign-in and registration have stricter limits, by which no stranger locks anybody out."""

import re
import time
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.test import Client

from rest.limits import counting
from rest.tests.limiting import Limits, client_at, networks, somewhere
from testing.api import check_problem, client_of
from users.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_hasher")]
TOKEN, USERS, ADMIN = "/api/v1/auth/token", "/api/v1/users", "/admin/login/"
PASSWORD = "correct horse battery"


@pytest.fixture
def email() -> str:
    """The address of somebody who has an account, and may use the admin."""
    return User.objects.create_superuser(f"ada-{uuid4().hex}@example.com", PASSWORD).email


def sign_in(address: str, email: str, password: str = "wrong") -> Any:
    return client_at(address).post(TOKEN, {"email": email, "password": password})


def statuses(times: int, *arguments: str) -> list[int]:
    return [sign_in(*arguments).status_code for _ in range(times)]


def sign_in_to_admin(address: str, email: str, password: str = "wrong") -> Any:
    return Client(REMOTE_ADDR=address).post(ADMIN, {"username": email, "password": password})


def test_who_fails_too_often_must_wait_and_the_owner_elsewhere_need_not(limits: Limits, email: str) -> None:
    limits(sign_in_pair=3)
    stranger = somewhere()
    assert statuses(4, stranger, email) == [401, 401, 401, 429]
    assert sign_in(stranger, email, PASSWORD).status_code == 429
    assert sign_in(somewhere(), email, PASSWORD).status_code == 200


def test_the_answer_says_which_limit_it_was_and_when_to_come_back(limits: Limits, email: str) -> None:
    limits(sign_in_pair=1, address=50)
    address = somewhere()
    assert statuses(1, address, email) == [401]
    answer = sign_in(address, email)
    check_problem(answer, 429, "throttled")
    assert answer["RateLimit-Policy"] == '"address";q=50;w=3600, "sign-in-pair";q=1;w=3600'
    assert re.fullmatch(rf'"address";r=48;t=\d+, "sign-in-pair";r=0;t={answer["Retry-After"]}', answer["RateLimit"])


def test_an_account_that_does_not_exist_is_treated_alike(limits: Limits) -> None:
    limits(sign_in_pair=2)
    assert statuses(3, somewhere(), f"{uuid4()}@example.com") == [401, 401, 429]


def test_signing_in_does_not_count(limits: Limits, email: str) -> None:
    limits(sign_in_pair=2, sign_in_address=2, sign_in_account=2, sign_in_slow=1)
    address = somewhere()
    assert statuses(4, address, email, PASSWORD) == [200] * 4
    assert statuses(1, address, email) == [401]
    assert statuses(4, address, email, PASSWORD) == [200] * 4


def test_what_cannot_be_read_is_no_attempt(limits: Limits, email: str) -> None:
    limits(sign_in_address=1)
    client = client_at(somewhere())
    bodies: list[Any] = [{}, {"email": email}, [], {"email": {"a": 1}, "password": "x"}]
    assert [client.post(TOKEN, given).status_code for given in bodies] == [400] * 4


@pytest.mark.parametrize(("one", "other"), [("bürger.de", "XN--BRGER-KVA.de"), ("xn--brger-kva.de", "bu\u0308rger.de")])
def test_another_spelling_of_the_domain_is_the_same_account(limits: Limits, one: str, other: str) -> None:
    limits(sign_in_pair=1)
    address = somewhere()
    assert [sign_in(address, f"ada@{domain}").status_code for domain in (one, other)] == [401, 429]


@pytest.mark.parametrize("spell", [str.upper, lambda text: f" {text} ", lambda text: text.replace("a", "\uff41")])
def test_another_spelling_is_the_same_account(limits: Limits, email: str, spell: Any) -> None:
    limits(sign_in_pair=1)
    address = somewhere()
    assert statuses(1, address, email) == [401]
    assert statuses(1, address, spell(email)) == [429]


def test_an_address_that_tries_many_accounts_must_wait(limits: Limits, email: str) -> None:
    limits(sign_in_address=3)
    address = somewhere()
    tries = [sign_in(address, f"{uuid4()}@example.com").status_code for _ in range(4)]
    assert tries == [401, 401, 401, 429]
    assert sign_in(address, email, PASSWORD).status_code == 429
    assert sign_in(somewhere(), email, PASSWORD).status_code == 200


def test_an_account_that_many_addresses_try_is_slower_for_each_and_never_locked(limits: Limits, email: str) -> None:
    limits(sign_in_account=3, sign_in_slow=1)
    assert [sign_in(somewhere(), email).status_code for _ in range(8)] == [401] * 8
    attacker = somewhere()
    assert statuses(3, attacker, email) == [401, 429, 429]
    owner = somewhere()
    assert statuses(3, owner, email, PASSWORD) == [200] * 3
    assert statuses(1, owner, email) == [401]
    answer = sign_in(owner, email, PASSWORD)
    assert answer.status_code == 429
    assert '"sign-in-slow";q=1' in answer["RateLimit-Policy"]


def test_who_is_signed_in_stays_so(limits: Limits, email: str) -> None:
    limits(sign_in_pair=1, sign_in_address=1)
    address = somewhere()
    client = client_at(address, User.objects.get(email=email))
    assert statuses(2, address, email) == [401, 429]
    assert client.get("/api/v1/users/me").status_code == 200
    assert client.delete(TOKEN).status_code == 204


def test_no_key_on_the_server_holds_the_email_address_of_a_person(limits: Limits, email: str, settings: Any) -> None:
    limits(sign_in_pair=5)
    address = somewhere()
    sign_in(address, email)
    with redis.Redis.from_url(settings.BROKER_URL, decode_responses=True) as server:
        keys = [key for key in server.scan_iter("ratelimit:*") if address in key]
    assert len(keys) >= 3
    assert not [key for key in keys if "ada-" in key or "example" in key]


def register(address: str, email: str) -> int:
    return int(client_at(address).post(USERS, {"email": email, "password": PASSWORD}).status_code)


def test_an_address_that_registers_too_often_must_wait(limits: Limits) -> None:
    limits(registration_address=3)
    address = somewhere()
    assert [register(address, f"{uuid4()}@example.com") for _ in range(4)] == [201, 201, 201, 429]
    assert register(somewhere(), f"{uuid4()}@example.com") == 201


def test_a_network_of_48_bits_is_no_way_around_the_limits_by_address(limits: Limits, email: str) -> None:
    limits(registration_network=2, sign_in_network=2)
    here = networks()
    assert [register(next(here), f"{uuid4()}@example.com") for _ in range(3)] == [201, 201, 429]
    assert [sign_in(next(here), f"{uuid4()}@example.com").status_code for _ in range(3)] == [401, 401, 429]
    assert sign_in_to_admin(next(here), email, PASSWORD).status_code == 429
    elsewhere = next(networks())
    assert register(elsewhere, f"{uuid4()}@example.com") == 201
    assert sign_in(elsewhere, email, PASSWORD).status_code == 200


def test_registrations_have_an_end_wherever_they_come_from(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "PREFIX", f"ratelimit:{uuid4().hex}:")
    limits(registration_address=2, registration_all=3)
    flood = somewhere()
    assert [register(flood, f"{uuid4()}@example.com") for _ in range(9)] == [201, 201, *[429] * 7]
    assert register(somewhere(), f"{uuid4()}@example.com") == 201
    answer = client_at(somewhere()).post(USERS, {"email": f"{uuid4()}@example.com", "password": PASSWORD})
    check_problem(answer, 429, "throttled")
    assert answer["RateLimit-Policy"].endswith('"registration-all";q=3;w=3600')


def test_nobody_is_kept_from_registering_by_a_stranger_who_tries_their_address(limits: Limits) -> None:
    limits(registration_account=2)
    stranger, wanted = somewhere(), f"{uuid4()}@example.com"
    short = {"email": wanted, "password": "short"}
    assert [client_at(stranger).post(USERS, short).status_code for _ in range(3)] == [400, 400, 429]
    assert register(stranger, f"{uuid4()}@example.com") == 201
    assert register(somewhere(), wanted) == 201


def test_the_admin_is_behind_the_same_limits(limits: Limits, email: str) -> None:
    limits(sign_in_pair=2)
    address = somewhere()
    assert sign_in_to_admin(address, email).status_code == 200
    assert sign_in(address, email).status_code == 401
    assert sign_in(address, email).status_code == 429
    answer = sign_in_to_admin(address, email, PASSWORD)
    check_problem(answer, 429, "throttled")
    assert answer["RateLimit"] == f'"sign-in-pair";r=0;t={answer["Retry-After"]}'
    assert Client(REMOTE_ADDR=address).get(ADMIN).status_code == 200
    assert sign_in_to_admin(somewhere(), email, PASSWORD).status_code == 302


def test_signing_in_to_the_admin_does_not_count(limits: Limits, email: str) -> None:
    limits(sign_in_pair=1)
    address = somewhere()
    assert [sign_in_to_admin(address, email, PASSWORD).status_code for _ in range(3)] == [302] * 3


def test_whoever_is_no_member_of_staff_counts_as_failed_in_the_admin(limits: Limits) -> None:
    limits(sign_in_pair=1)
    user, address = User.objects.create_user(f"{uuid4()}@example.com", PASSWORD), somewhere()
    assert [sign_in_to_admin(address, user.email, PASSWORD).status_code for _ in range(2)] == [200, 429]


def test_a_sign_in_page_without_its_csrf_token_is_refused_as_ever() -> None:
    assert Client(enforce_csrf_checks=True).post(ADMIN, {"username": "a", "password": "b"}).status_code == 403
    assert client_of().post(ADMIN, {}).status_code == 403


@pytest.mark.parametrize(("path", "field"), [(TOKEN, "email"), (USERS, "email"), (ADMIN, "username")])
def test_an_address_that_nobody_can_have_costs_no_time(limits: Limits, path: str, field: str) -> None:
    marks = "a" + "\u0315\u0300" * 100_000  # in normal form these are sorted, one by one
    client = client_at(somewhere()) if path != ADMIN else Client(REMOTE_ADDR=somewhere())
    before = time.process_time()
    answer = client.post(path, {field: marks, "password": PASSWORD})
    assert time.process_time() - before < 2
    assert answer.status_code == (200 if path == ADMIN else 400)


def test_blanks_around_an_address_are_no_way_around_its_limit(limits: Limits, email: str) -> None:
    limits(sign_in_pair=2)
    stranger = somewhere()
    assert [sign_in(stranger, " " * n + email).status_code for n in (0, 300, 600)] == [401, 401, 429]
