"""Passwords are hashed at a cost that the web can bear, and checking one tells nobody whose it is."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.cache import cache
from django.test import Client

from testing.api import check_problem, client_of
from testing.processes import COMPLETE, run_python
from users import hashers
from users.backends import earlier_passwords_left
from users.hashers import COST, EARLIER
from users.models import User

pytestmark = pytest.mark.django_db
TOKEN, USERS, ADMIN = "/api/v1/auth/token", "/api/v1/users", "/admin/login/"
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def not_looked_yet() -> None:
    cache.delete("users.earlier_passwords_left")


def make(email: str, **fields: Any) -> User:
    return User.objects.create_user(email, PASSWORD, is_staff=True, **fields)


def make_earlier(email: str) -> User:
    """An account whose password an earlier release has stored."""
    user = make(email)
    user.password = Argon2PasswordHasher().encode(PASSWORD, "salt" * 6)
    assert user.password.startswith(EARLIER.prefix)
    user.save()
    return user


def over_rest(email: str, password: str) -> Any:
    return client_of().post(TOKEN, {"email": email, "password": password})


def in_the_admin(email: str, password: str) -> Any:
    return Client().post(ADMIN, {"username": email, "password": password})


def register(email: str, password: str) -> Any:
    return client_of().post(USERS, {"email": email, "password": password})


@pytest.mark.parametrize("sign_in", [over_rest, in_the_admin])
def test_a_password_of_an_earlier_cost_is_accepted_and_stored_anew_at_sign_in(sign_in: Any) -> None:
    user = make_earlier("ada@example.com")
    assert sign_in(user.email, "wrong").status_code in (200, 401)
    assert earlier_passwords_left()
    assert sign_in(user.email, PASSWORD).status_code in (200, 302)
    user.refresh_from_db()
    assert user.password.startswith(COST.prefix)
    assert sign_in(user.email, PASSWORD).status_code in (200, 302)
    assert sign_in(user.email, "wrong").status_code in (200, 401)


def test_a_password_that_was_changed_meanwhile_is_not_overwritten() -> None:
    user = make_earlier("ada@example.com")
    User.objects.update(password="changed")
    assert user.check_password(PASSWORD)
    assert User.objects.get().password == "changed"


def seconds(email: str) -> float:
    """The least processor time of three wrong passwords: others are at work on the machine."""
    times = []
    for _ in range(3):
        started = time.process_time()
        assert over_rest(email, "wrong").status_code == 401
        times.append(time.process_time() - started)
    return min(times)


def test_a_wrong_password_takes_the_same_time_whoever_it_is_of() -> None:
    """Of an account of today, of one from before the cost changed, of a closed one, of none, of one without any."""
    make("new@example.com")
    make_earlier("earlier@example.com")
    make("closed@example.com", is_active=False)
    User.objects.create_user("none@example.com")
    names = ("new", "earlier", "closed", "nobody", "none")
    rounds = [{name: seconds(f"{name}@example.com") for name in names} for _ in range(3)]
    times = {name: min(times[name] for times in rounds) for name in names}  # another process may be at work meanwhile
    assert max(times.values()) < 2 * min(times.values()), times


def test_once_no_earlier_password_is_left_a_wrong_one_costs_no_more_than_a_right_one() -> None:
    make("new@example.com")
    known, unknown = seconds("new@example.com"), seconds("nobody@example.com")
    assert not earlier_passwords_left()
    started = time.process_time()
    hashers.spend("wrong", EARLIER)
    assert max(known, unknown) < time.process_time() - started
    assert max(known, unknown) < 3 * min(known, unknown)


@contextmanager
def all_busy() -> Iterator[None]:
    """Keep every thread that hashes busy until the block ends."""
    end = Event()
    for _ in range(hashers._threads._max_workers):
        hashers._threads.submit(end.wait, 30)
    try:
        yield
    finally:
        end.set()


@pytest.mark.parametrize("act", [over_rest, in_the_admin, register])
def test_whoever_would_wait_for_too_long_is_told_when_to_come_again(act: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make("ada@example.com")
    monkeypatch.setattr(hashers, "WAIT", 0.1)
    email = "grace@example.com" if act is register else "ada@example.com"
    with all_busy():
        answer = act(email, PASSWORD)
        check_problem(answer, 503, "passwords_busy")
        assert answer["Retry-After"] == "5"
    monkeypatch.undo()
    assert act(email, PASSWORD).status_code in (200, 201, 302)


PEAK = """
import resource, sys, threading
import django
django.setup()
from django.contrib.auth.hashers import Argon2PasswordHasher, check_password, make_password
from users import hashers
hashers.WAIT = 50.0  # seconds: this is about memory, and the machine may be busy with other things

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def grows_by(stored, threads):
    check_password("wrong", stored)
    before, ready = peak(), threading.Barrier(threads)
    def check():
        ready.wait()
        assert not check_password("wrong", stored)
        ready.wait()  # no thread ends before all have hashed
    at_once = [threading.Thread(target=check) for _ in range(threads)]
    [thread.start() for thread in at_once]
    [thread.join() for thread in at_once]
    return peak() - before

print(grows_by(make_password("right"), 16), grows_by(Argon2PasswordHasher().encode("right", "salt" * 6), 4))
"""


def test_many_at_once_take_the_memory_of_one() -> None:
    done = run_python("-c", PEAK, **COMPLETE, DJANGO_SETTINGS_MODULE="ordersite.settings")
    assert done.returncode == 0, done.stderr
    new, earlier = map(int, done.stdout.split())  # KiB
    assert new < COST.memory
    assert earlier < EARLIER.memory / 2
