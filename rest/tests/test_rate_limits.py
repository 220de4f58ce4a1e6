"""Requests are counted: of each person, and of each address of those who are not signed in."""

import re
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest

from events.tests.waiting import until
from rest.tests.limiting import Limits, client_at, networks, somewhere
from testing.api import check_problem, client_of, make_user
from testing.processes import COMPLETE

pytestmark = pytest.mark.django_db
PRODUCTS, ME = "/api/v1/products", "/api/v1/users/me"


def test_every_answer_says_how_the_client_stands(limits: Limits) -> None:
    limits(address=7, user=5)
    for client, path, name, quota in (
        (client_at(somewhere()), PRODUCTS, "address", 7),
        (client_of(make_user()), ME, "user", 5),
    ):
        for number in (1, 2):
            answer = client.get(path)
            assert answer["RateLimit-Policy"] == f'"{name}";q={quota};w=3600'
            stands = re.fullmatch(rf'"{name}";r={quota - number};t=(\d+)', answer["RateLimit"])
            assert stands
            assert 0 < int(stands[1]) <= 3_600


def test_one_too_many_is_429_and_says_when_to_come_back(limits: Limits) -> None:
    limits(address=2)
    client = client_at(somewhere())
    assert [client.get(PRODUCTS).status_code for _ in range(2)] == [200, 200]
    for _ in range(3):
        answer = client.get(PRODUCTS)
        check_problem(answer, 429, "throttled")
        assert re.fullmatch(rf'"address";r=0;t={answer["Retry-After"]}', answer["RateLimit"])
        assert answer["RateLimit-Policy"] == '"address";q=2;w=3600'


def test_a_network_of_48_bits_has_a_limit_of_its_own(limits: Limits) -> None:
    limits(address=2, network=3)
    here = networks()
    answers = [client_at(next(here)).get(PRODUCTS) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0]["RateLimit-Policy"] == '"address";q=2;w=3600, "network";q=3;w=3600'
    check_problem(answers[-1], 429, "throttled")
    assert client_at(next(networks())).get(PRODUCTS).status_code == 200


def test_in_the_next_window_all_is_as_before(limits: Limits) -> None:
    limits(window=1, address=1)
    client = client_at(somewhere())
    until("it is refused", lambda: client.get(PRODUCTS).status_code == 429)
    assert client.get(PRODUCTS)["Retry-After"] == "1"
    until("it is let in again", lambda: client.get(PRODUCTS).status_code == 200)


def test_people_at_one_address_are_counted_apart(limits: Limits) -> None:
    limits(user=1, address=1)
    address = somewhere()
    for client in (client_at(address, make_user("ada")), client_at(address, make_user("grace"))):
        assert [client.get(ME).status_code for _ in range(2)] == [200, 429]
    assert [client_at(address).get(PRODUCTS).status_code for _ in range(2)] == [200, 429]


def test_a_person_is_counted_once_wherever_they_are(limits: Limits) -> None:
    limits(user=2)
    ada = make_user()
    assert [client_at(somewhere(), ada).get(ME).status_code for _ in range(3)] == [200, 200, 429]


def test_who_sends_dead_tokens_is_counted_by_address(limits: Limits) -> None:
    limits(address=2)
    client = client_at(somewhere(), HTTP_AUTHORIZATION="Bearer dead")
    answers = [client.get(ME) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    check_problem(answers[-1], 429, "throttled")
    assert answers[0]["RateLimit"].startswith('"address";r=1;')


def test_who_may_not_is_counted_as_themselves(limits: Limits) -> None:
    limits(user=2)
    client = client_of(make_user())
    assert [client.post(PRODUCTS, {}).status_code for _ in range(3)] == [403, 403, 429]


@pytest.mark.parametrize("path", ["/api/v1/auth/token", "/api/v1/users"])
def test_who_is_over_the_limit_is_told_that_whatever_they_send(limits: Limits, path: str) -> None:
    limits(address=1, registration_address=5)
    client = client_at(somewhere())
    client.get(PRODUCTS)
    for given, content in ((b"{", "application/json"), (b"x", "text/plain")):
        check_problem(client.post(path, given, content_type=content), 429, "throttled")


def test_a_limit_of_0_is_none_and_asks_nobody(limits: Limits, broker_at: Callable[[str], None]) -> None:
    limits(address=0)
    broker_at(COMPLETE["BROKER_URL"])
    client = client_at(somewhere())
    answers = [client.get(PRODUCTS) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert not [answer for answer in answers if "RateLimit" in answer or "RateLimit-Policy" in answer]


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_health_and_metrics_have_no_limit(limits: Limits, path: str) -> None:
    limits(address=1)
    client = client_at(somewhere())
    answers = [client.get(path) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert not [answer for answer in answers if "RateLimit" in answer]


def test_a_forwarded_address_counts_only_from_a_trusted_proxy(limits: Limits, settings: Any) -> None:
    limits(address=1)
    stranger, proxy = somewhere(), somewhere()
    made_up = [client_at(stranger, HTTP_X_FORWARDED_FOR=somewhere()).get(PRODUCTS).status_code for _ in range(2)]
    assert made_up == [200, 429]
    settings.TRUSTED_PROXIES = [ip_network(proxy)]
    assert [client_at(proxy, HTTP_X_FORWARDED_FOR=somewhere()).get(PRODUCTS).status_code for _ in range(2)] == [200] * 2
    forwarded = somewhere()
    assert [client_at(proxy, HTTP_X_FORWARDED_FOR=f"{somewhere()}, {forwarded}").get(PRODUCTS).status_code
            for _ in range(2)] == [200, 429]  # fmt: skip
