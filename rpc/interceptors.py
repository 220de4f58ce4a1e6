"""What holds for every call: it is traced, counted, logged; its errors have codes; it needs a token and a deadline."""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc
from rest_framework.exceptions import APIException, AuthenticationFailed, NotAuthenticated
from uuid_utils.compat import uuid7

from events.correlation import correlated
from rpc.around import Around, Context, Continuation, Handler, refusing
from rpc.call_log import is_fault, log_call
from rpc.errors import DeadlineRequired, status_of
from rpc.spans import TRACEPARENT, serving, tell_end
from telemetry.request_id import VALID_ID

REQUEST_ID = "x-request-id"


class Telling(Around):
    """Gives each call an id (the caller's own, if valid), tells it in the answer's metadata, and tells of the call."""

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Do the call under its id."""
        began, code, failed = time.monotonic(), grpc.StatusCode.OK, False
        given = sent(context, REQUEST_ID)
        request_id = given if VALID_ID.fullmatch(given) else str(uuid7())
        with correlated(request_id), serving(method, request_id, sent(context, TRACEPARENT)) as span:
            try:
                # Behind the answer: a call whose metadata have begun to come is not repeated by gRPC's own retries.
                context.set_trailing_metadata(((REQUEST_ID, request_id),))
                yield
            except asyncio.CancelledError:
                code = _why_cancelled(context)
                raise
            except BaseException as error:
                code = cast("grpc.StatusCode | None", context.code()) or grpc.StatusCode.UNKNOWN
                failed = is_fault(code, error)
                raise
            finally:
                tell_end(span, code, failed=failed)
                log_call(method, code, time.monotonic() - began, failed=failed)


class Errors(Around):
    """Answers what a call raises with a status and its details."""

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Do the call."""
        try:
            yield
        except grpc.aio.AbortError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            try:
                await context.abort_with_status(status_of(error))
            except grpc.aio.AbortError as aborted:
                raise aborted from error


class Tokens(grpc.aio.ServerInterceptor):
    """Lets nobody pass who has none of the service tokens."""

    def __init__(self, accepted: Sequence[str]) -> None:
        self._accepted = [token.encode() for token in accepted]

    async def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> Handler:
        """Have the call handled, or refused before its message is waited for: a stranger may never send one."""
        error = self._wrong(text_of(details.invocation_metadata, "authorization"))
        return await continuation(details) if error is None else refusing(error)

    def _wrong(self, given: str) -> APIException | None:
        if not given:
            return NotAuthenticated("A service token is needed: metadata `authorization: Bearer TOKEN`.")
        scheme, _, token = given.partition(" ")
        if scheme.lower() != "bearer" or not self._is_accepted(token.encode()):
            return AuthenticationFailed("Invalid token.")
        return None

    def _is_accepted(self, token: bytes) -> bool:
        """Compare with all of them, each in constant time, so that the time taken says nothing of any."""
        return sum(hmac.compare_digest(token, accepted) for accepted in self._accepted) > 0


class Deadlines(Around):
    """Refuses a call that would wait for ever."""

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Do the call, or raise DeadlineRequired."""
        if context.time_remaining() is None:
            raise DeadlineRequired
        yield


def sent(context: Context, key: str) -> str:
    """Return what the caller sent under this key of its metadata, "" for nothing and for bytes."""
    return text_of(context.invocation_metadata(), key)


def text_of(metadata: Iterable[Any] | None, key: str) -> str:
    """Return what stands under this key, "" for nothing and for bytes."""
    value = dict(metadata or ()).get(key, "")
    return value if isinstance(value, str) else ""


def _why_cancelled(context: Context) -> grpc.StatusCode:
    """Return what the caller sees: a call that is cancelled at its deadline is over it."""
    return grpc.StatusCode.CANCELLED if context.time_remaining() else grpc.StatusCode.DEADLINE_EXCEEDED
