"""What holds for every call: it is traced, counted, logged; its errors have codes; it needs a token and a deadline."""

import asyncio
import hmac
import inspect
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any, cast

import grpc
from rest_framework.exceptions import AuthenticationFailed, MethodNotAllowed, NotAuthenticated
from uuid_utils.compat import uuid7

from events.correlation import correlated
from rpc.call_log import is_fault, log_call
from rpc.errors import DeadlineRequired, status_of
from rpc.spans import TRACEPARENT, record_end, serving
from telemetry.request_id import VALID_ID

REQUEST_ID = "x-request-id"
KINDS = ("unary", "stream")
ON_THE_WAY = 0.1  # seconds: by so much a caller's deadline may come before ours, which begins when the call is here

Context = grpc.aio.ServicerContext[Any, Any]
Handler = Any  # grpc.RpcMethodHandler: a tuple of functions, of which the call's kind says which is there
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler]]


def refusing(error: Exception) -> Handler:
    """Return a handler that raises this, whatever the call's kind is; it waits for no message."""

    async def refuse(requests: Any, context: Context) -> None:
        raise error

    return grpc.stream_stream_rpc_method_handler(refuse)


_UNKNOWN = refusing(MethodNotAllowed("", detail="There is no such method."))


class Around(grpc.aio.ServerInterceptor):
    """An interceptor that is a context manager around each call, whatever its kind."""

    @abstractmethod
    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """Return what is entered before the call of this method (/package.Service/Method), and left after it."""

    async def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> Handler:
        """Have the call handled within around(); one of an unknown method too, so that strangers learn nothing.

        A stream is written here, and not left to grpc's loop: that leaves a generator whose call is cancelled to be
        closed at some later moment, by another task.
        """
        handler = await continuation(details) or _UNKNOWN
        kind = f"{KINDS[handler.request_streaming]}_{KINDS[handler.response_streaming]}"
        behaviour = getattr(handler, kind)
        method = str(details.method)

        async def answer(request: Any, context: Context) -> Any:
            async with self.around(method, context):
                return await behaviour(request, context)

        async def stream(request: Any, context: Context) -> None:
            async with self.around(method, context):
                if inspect.iscoroutinefunction(behaviour):
                    await behaviour(request, context)
                    return
                async with aclosing(behaviour(request, context)) as messages:
                    async for message in messages:
                        await context.write(message)

        make_handler = getattr(grpc, f"{kind}_rpc_method_handler")
        wrapped = stream if handler.response_streaming else answer
        return make_handler(wrapped, handler.request_deserializer, handler.response_serializer)


class Telling(Around):
    """Gives each call an id (the caller's own, if valid), tells it in the answer's metadata, and tells of the call."""

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        began, code, failed = time.monotonic(), grpc.StatusCode.OK, False
        metadata = context.invocation_metadata()
        given = text_of(metadata, REQUEST_ID)
        request_id = given if VALID_ID.fullmatch(given) else str(uuid7())
        with correlated(request_id), serving(method, request_id, text_of(metadata, TRACEPARENT)) as span:
            try:
                # Behind the answer: a call whose metadata have begun to come is not repeated by gRPC's own retries.
                context.set_trailing_metadata(((REQUEST_ID, request_id),))
                yield
            except asyncio.CancelledError:
                # What the caller sees: a call that is cancelled at its deadline is over it.
                remaining = cast("float | None", context.time_remaining())
                is_over = remaining is not None and remaining < ON_THE_WAY
                code = grpc.StatusCode.DEADLINE_EXCEEDED if is_over else grpc.StatusCode.CANCELLED
                raise
            except BaseException as error:
                code = cast("grpc.StatusCode | None", context.code()) or grpc.StatusCode.UNKNOWN
                failed = is_fault(code, error)
                raise
            finally:
                record_end(span, code, failed=failed)
                log_call(method, code, time.monotonic() - began, failed=failed)


class Errors(Around):
    """Answers what a call raises with a status and its details."""

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
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
        given = text_of(details.invocation_metadata, "authorization")
        if not given:
            return refusing(NotAuthenticated("A service token is needed: metadata `authorization: Bearer TOKEN`."))
        scheme, _, token = given.partition(" ")
        if scheme.lower() != "bearer" or not self._is_accepted(token.encode()):
            return refusing(AuthenticationFailed("Invalid token."))
        return await continuation(details)

    def _is_accepted(self, token: bytes) -> bool:
        """Compare with all of them, each in constant time, so that the time taken says nothing of any."""
        return sum(hmac.compare_digest(token, accepted) for accepted in self._accepted) > 0


class Deadlines(Around):
    """Refuses a call that would wait for ever."""

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        if context.time_remaining() is None:
            raise DeadlineRequired
        yield


def text_of(metadata: Iterable[Any] | None, key: str) -> str:
    """Return what the caller sent under this key of its metadata, "" for nothing and for bytes."""
    value = dict(metadata or ()).get(key, "")
    return value if isinstance(value, str) else ""
