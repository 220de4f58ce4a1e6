"""What the product uses of libraries that they do not promise: each with its reason, and a look whether it is there.

A new release may change any of it without a word. Read the library's code again before a pin is raised past the release
that stands here.
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from inspect import getsource
from typing import Any

import pytest
from celery.app.task import Task
from celery.worker.consumer import Consumer
from django.contrib.auth import middleware
from django_celery_results.backends.database import DatabaseBackend
from drf_spectacular.openapi import AutoSchema
from kombu.transport import redis, virtual
from psycopg import Connection, Pipeline, ServerCursor
from rest_framework.request import Request

from testing import ROOT
from tests.test_row_locks import product


@dataclass(frozen=True)
class Internal:
    """A name that a library keeps to itself, the release in which it was read, and why it is used all the same."""

    library: str
    release: str
    why: str
    is_there: Callable[[], Any]


ENTRIES = "Celery's worker ends at a list's entry that it cannot read: events/handling/message_guard.py guards that."
USED = {
    "_brpop_read": Internal("kombu", "5.7", ENTRIES, lambda: hasattr(redis.Channel, "_brpop_read")),
    "create_task_handler": Internal("celery", "5.7", ENTRIES, lambda: Consumer.create_task_handler),
    "on_decode_error": Internal("celery", "5.7", ENTRIES, lambda: Consumer.on_decode_error),
    "on_invalid_task": Internal("celery", "5.7", ENTRIES, lambda: Consumer.on_invalid_task),
    "restore_unacked": Internal("kombu", "5.7", ENTRIES, lambda: redis.QoS.restore_unacked),
    "ack": Internal("kombu", "5.7", ENTRIES, lambda: virtual.QoS.ack),
    "__header__": Internal(
        "celery", "5.7", "Tells whether a message fits its task.", lambda: "__header__" in getsource(Task.apply_async)
    ),
    "_store_result": Internal(
        "django-celery-results", "2.6", "The step that stores a result.", lambda: DatabaseBackend._store_result
    ),
    "_request": Internal(
        "djangorestframework", "3.18", "Django's request of DRF's.", lambda: "self._request" in getsource(Request)
    ),
    "_map_serializer": Internal(
        "drf-spectacular", "0.30", "Describes the serializer of a query.", lambda: AutoSchema._map_serializer
    ),
    "_withhold": Internal(
        "psycopg",
        "3.3",
        "In a transaction that it has not begun, a cursor of the server's ends with it.",
        lambda: hasattr(ServerCursor, "_withhold"),
    ),
    **{
        name: Internal(
            "psycopg", "3.3", "A pipeline that sends no Flush behind its Sync.", partial(getattr, Pipeline, name)
        )
        for name in ("_enqueue_sync", "_fetch_gen", "_process_results")
    },
    "_pipeline": Internal(
        "psycopg",
        "3.3",
        "A pipeline of ours is taken.",
        lambda: "self._pipeline) is None" in getsource(Connection.pipeline),
    ),
    "_cached_user": Internal(
        "Django", "5.2", "For a line of the log nobody is looked up.", lambda: "_cached_user" in getsource(middleware)
    ),
}


@pytest.mark.parametrize("name", USED)
def test_what_a_library_does_not_promise_is_still_there(name: str) -> None:
    internal = USED[name]
    assert version(internal.library).startswith(f"{internal.release}."), (
        "read its code again, then set its release here"
    )
    assert internal.is_there()


def test_nothing_else_of_a_library_is_used_that_it_keeps_to_itself() -> None:
    """An attribute with an underscore of another object than one's own, and not defined anywhere in the product."""
    defined = {"_meta", "_default_manager", "_db", "_exit"}  # which Django and Python document
    used: set[str] = set()
    for path in product():
        if "/migrations/" in path or "/stubs/" in path or path.split("/")[0] in ("deploy", "examples", "tools"):
            continue
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            match node:
                case ast.Attribute(attr=name, value=owner) if name.startswith("_") and not name.startswith("__"):
                    mine = isinstance(owner, ast.Name) and owner.id in ("self", "cls")
                    (defined if mine and isinstance(node.ctx, ast.Store) else used).add(name)
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if not name.startswith("__"):
                    defined.add(name)
    assert used - defined <= USED.keys(), "say here why, and what a test would see of its change"
