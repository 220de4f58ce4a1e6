"""What interceptors share: to do something around every call, whatever its kind."""

import inspect
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from functools import partial
from typing import Any

import grpc
from rest_framework.exceptions import MethodNotAllowed

Context = grpc.aio.ServicerContext[Any, Any]
Enter = Callable[[Context], AbstractAsyncContextManager[None]]
Behaviour = Callable[[Any, Context], Any]
Handler = Any  # grpc.RpcMethodHandler: a tuple of functions, of which the call's kind says which is there


Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler]]


class Around(grpc.aio.ServerInterceptor):
    """An interceptor that is a context manager around each call."""

    @abstractmethod
    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """Return what is entered before the call of this method (/package.Service/Method), and left after it."""

    async def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> Handler:
        """Have the call handled within around(); one of an unknown method too, so that strangers learn nothing."""
        handler = await continuation(details) or _UNKNOWN
        return _wrapped(handler, partial(self.around, str(details.method)))


def _wrapped(handler: Handler, enter: Enter) -> Handler:
    """Return the handler, with this around it. A stream is written here, and not left to grpc's loop.

    (That leaves a generator whose call is cancelled to be closed at some later moment, by another task.)
    """
    made = getattr(grpc, f"{_kind(handler)}_rpc_method_handler")
    behaviour: Behaviour = getattr(handler, _kind(handler))
    wrapped = _streamed(behaviour, enter) if handler.response_streaming else _answered(behaviour, enter)
    return made(wrapped, handler.request_deserializer, handler.response_serializer)


def _kind(handler: Handler) -> str:
    kinds = ("unary", "stream")
    return f"{kinds[handler.request_streaming]}_{kinds[handler.response_streaming]}"


def _answered(behaviour: Behaviour, enter: Enter) -> Behaviour:
    async def answer(request: Any, context: Context) -> Any:
        async with enter(context):
            return await behaviour(request, context)

    return answer


def _streamed(behaviour: Behaviour, enter: Enter) -> Behaviour:
    async def stream(request: Any, context: Context) -> None:
        async with enter(context):
            if inspect.iscoroutinefunction(behaviour):
                await behaviour(request, context)
                return
            async with aclosing(behaviour(request, context)) as messages:
                async for message in messages:
                    await context.write(message)

    return stream


def refusing(error: Exception) -> Handler:
    """Return a handler that raises this, whatever the call's kind is; it waits for no message."""

    async def refuse(requests: Any, context: Context) -> None:
        raise error

    return grpc.stream_stream_rpc_method_handler(refuse)


_UNKNOWN = refusing(MethodNotAllowed("", detail="There is no such method."))
