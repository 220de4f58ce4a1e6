"""Doing one thing many times at once, each on a connection of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connection

T = TypeVar("T")
THREADS = 20  # PostgreSQL takes 100 connections


def at_once(count: int, act: Callable[[int], T], *, threads: int = THREADS) -> list[T]:
    """Call act(0), act(1), ... and return what each returned; the first error is raised."""
    threads = min(threads, count)
    ready = Barrier(threads)

    def begin() -> None:
        connection.ensure_connection()
        ready.wait(30)

    def end(_: int) -> None:
        ready.wait(30)
        connection.close()

    with ThreadPoolExecutor(threads, initializer=begin) as pool:
        done = [pool.submit(act, number) for number in range(count)]
        outcomes = [future.exception() for future in done]
        list(pool.map(end, range(threads)))
    for error in outcomes:
        if error is not None:
            raise error
    return [future.result() for future in done]
