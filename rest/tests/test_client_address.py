"""Whose address counts, with proxies and without."""

from ipaddress import ip_network
from typing import Any

import pytest
from django.test import RequestFactory

from rest.limits.addresses import client_address, client_network
from testing.processes import COMPLETE, run_python

PROXIES = [ip_network("10.0.0.0/8"), ip_network("2001:db8:aaaa::1")]
CLIENT = "203.0.113.7"


def counted(settings: Any, remote: str, forwarded: str | None = None) -> str:
    settings.TRUSTED_PROXIES = PROXIES
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return client_address(RequestFactory(REMOTE_ADDR=remote).get("/", headers=headers))


@pytest.mark.parametrize(
    ("remote", "forwarded", "expected"),
    [
        (CLIENT, None, CLIENT),
        (CLIENT, "198.51.100.1", CLIENT),  # not from a proxy of ours
        ("10.0.0.1", CLIENT, CLIENT),
        ("10.0.0.1", f"198.51.100.1, {CLIENT}", CLIENT),  # what the client itself had sent stands left
        ("10.0.0.1", f"198.51.100.1, {CLIENT}, 10.0.0.2", CLIENT),  # two proxies of ours
        ("10.0.0.1", f"{CLIENT}, 198.51.100.1,10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),  # a client inside
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", f"{CLIENT}, nonsense, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", f"{CLIENT}:4711", CLIENT),
        ("10.0.0.1", "[2001:db8:1:2:3::4]:4711", "2001:db8:1:2::/64"),
        ("2001:db8:aaaa::1", CLIENT, CLIENT),
        ("2001:db8:aaaa::2", CLIENT, "2001:db8:aaaa::/64"),
        ("2001:db8:1:2:ffff::9", None, "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", None, CLIENT),
        ("::ffff:10.0.0.1", CLIENT, CLIENT),
        ("fe80::1%eth0", None, "fe80::/64"),
        ("", CLIENT, "unknown"),
        ("somewhere", None, "unknown"),
    ],
)
def test_whose_address_counts(settings: Any, remote: str, forwarded: str | None, expected: str) -> None:
    assert counted(settings, remote, forwarded) == expected


@pytest.mark.parametrize(
    ("remote", "forwarded", "expected"),
    [
        ("2001:db8:1:2:3::4", None, "2001:db8:1::/48"),
        ("10.0.0.1", "2001:db8:1:ffff::4", "2001:db8:1::/48"),
        (CLIENT, "2001:db8:1:2:3::4", None),
        ("::ffff:203.0.113.7", None, None),
        ("", None, None),
    ],
)
def test_whose_network_counts(settings: Any, remote: str, forwarded: str | None, expected: str | None) -> None:
    settings.TRUSTED_PROXIES = PROXIES
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    assert client_network(RequestFactory(REMOTE_ADDR=remote).get("/", headers=headers)) == expected


def test_a_header_of_thousands_of_addresses_costs_nothing(settings: Any) -> None:
    assert counted(settings, "10.0.0.1", ", ".join(["10.0.0.1"] * 5_000)) == "10.0.0.1"


def test_networks_and_addresses_are_read_from_the_environment() -> None:
    read = "import ordersite.settings as s; print(*s.TRUSTED_PROXIES)"
    done = run_python("-c", read, **COMPLETE, TRUSTED_PROXIES="10.1.2.3/8, 192.0.2.1,2001:db8::/32,")
    assert done.stdout.split() == ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"]
    assert run_python("-c", read, **COMPLETE).stdout.split() == []


def test_one_that_is_none_is_a_clear_line() -> None:
    done = run_python("-c", "import ordersite.settings", **COMPLETE, TRUSTED_PROXIES="proxy.example")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("ordersite: TRUSTED_PROXIES is to be addresses or networks")
    assert "proxy.example" in line
