"""How passwords are hashed: by Argon2, and only so many at once in a process."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, ParamSpec, TypeVar

from argon2.low_level import Type, hash_secret_raw
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from rest_framework.exceptions import APIException

P = ParamSpec("P")
R = TypeVar("R")

WAIT = 2.0
"""Seconds that a request waits for its turn to hash a password. One hash takes about 0.03 s, an older one 0.15 s."""


class Cost(NamedTuple):
    """What a hash costs: KiB of memory, passes over it, and lanes."""

    memory: int
    passes: int
    lanes: int

    @property
    def prefix(self) -> str:
        """How every password that is stored at this cost begins."""
        return f"argon2$argon2id$v=19$m={self.memory},t={self.passes},p={self.lanes}$"


# The first choice of https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html (Argon2id).
COST = Cost(memory=19_456, passes=2, lanes=1)
EARLIER = Cost(memory=102_400, passes=2, lanes=8)
"""Django's own cost, at which passwords were stored before. They are accepted, and stored anew at the next sign-in."""

NOBODY = f"{COST.prefix}bm9ib2R5IGhhcyB0aGlzIHBhc3N3b3Jk${'A' * 43}"
"""A stored password that no password matches, and that costs as much to check as any other."""


class PasswordsBusy(APIException):
    """So many passwords wait to be hashed in this process that this one would wait for too long."""

    status_code = 503
    default_code = "passwords_busy"
    default_detail = "Too many people are signing in or registering at this moment. Try again in a few seconds."
    wait = 5
    """Seconds after which to try again."""


# Threads of their own, not a semaphore: each thread that ever hashed may keep the memory of one hash (malloc has an
# arena for each), which with many request threads would come to as much as hashing in all of them at once.
_threads = ThreadPoolExecutor(settings.HASHES_AT_ONCE, thread_name_prefix="passwords")


def in_turn(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run this when it is its turn, HASHES_AT_ONCE at once. Raises PasswordsBusy after WAIT seconds."""
    future = _threads.submit(work, *args, **kwargs)
    try:
        return future.result(WAIT)
    except TimeoutError:
        if future.cancel():
            raise PasswordsBusy from None
        return future.result()  # it has begun, and is soon done


class PasswordHasher(Argon2PasswordHasher):
    """Django's Argon2, at a cost of our own, and bounded in what it takes of the process's memory."""

    memory_cost, time_cost, parallelism = COST

    def encode(self, password: str, salt: str) -> str:
        """Return what to store. Raises PasswordsBusy."""
        return in_turn(super().encode, password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        """Tell whether this is the password. Raises PasswordsBusy."""
        return in_turn(super().verify, password, encoded)


def spend(password: str, cost: Cost) -> None:
    """Take as long as checking a password that is stored at this cost. Raises PasswordsBusy."""
    in_turn(
        hash_secret_raw,
        password.encode(),
        b"0" * 16,
        time_cost=cost.passes,
        memory_cost=cost.memory,
        parallelism=cost.lanes,
        hash_len=32,
        type=Type.ID,
    )
