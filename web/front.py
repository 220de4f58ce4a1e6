"""The front of a web worker: it reads each request whole, and only then hands it to one of a few threads.

Threads are few, and a client may be as slow as it likes. So a thread works on a request for as long as Django does,
and never waits for a client that sends or reads. Probes have threads of their own, so that they are answered while
every other thread waits for PostgreSQL (docs/decisions/0028-the-front.md).
"""

import asyncio
import os
import time
from collections.abc import Iterator
from functools import partial
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper

from django.conf import settings
from granian._granian import RSGIProtocolClosed as ProtocolClosed

from rest.refused import BROKEN_OFF, OVERLOADED, REFUSED, TOO_LARGE, TOO_SLOW, probe_timed_out
from rest.wsgi import Wsgi
from web.environ import Headers, build_environ
from web.pool import Pool

if TYPE_CHECKING:
    from granian._granian import RSGIHTTPProtocol as HTTPProtocol
    from granian.rsgi import Scope

Answer = tuple[int, list[tuple[str, str]], Any]

CHUNKED = float("inf")  # the length of a body that comes in chunks: it may be any
THREADS = 2
BODY_SECONDS = 10.0  # for a whole body, from the end of its head
# For a thread. Whoever waits longer has given up, or will: to do the work now would only delay the others.
WAIT_SECONDS = 10.0
PROBE_SECONDS = 2.4
PROBES = ("/health/live", "/health/ready")
SMALL_BODY = 65_536
# Bodies above SMALL_BODY that a worker holds at once: they would fill its memory, and orders are small.
LARGE_BODIES = 32


class Front:
    """An RSGI application (granian's interface) around a WSGI application."""

    def __init__(self, application: Wsgi) -> None:
        self._application = application
        self._large_bodies = 0

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the threads; the server calls this once, in the worker."""
        # Last of all, end without finalizing the interpreter: a thread of the server may still call it and would abort.
        Finalize(None, os._exit, args=(0,), exitpriority=-100)
        self._requests = Pool("request", THREADS, loop)
        self._probes = {path: Pool(path, 1, loop) for path in PROBES}

    async def __rsgi__(self, scope: "Scope", protocol: "HTTPProtocol") -> None:
        headers = scope.headers.items()
        length = _length(headers)
        self._large_bodies += length > SMALL_BODY
        try:
            body, refused = await self._body(protocol, length)
            environ = build_environ(scope, headers, body)
            if refused:
                environ[REFUSED] = refused
            if probe := self._probes.get(scope.path.removesuffix("/")):
                await self._answer_probe(probe, environ, protocol)
            else:
                send = partial(self._send, environ, protocol, time.monotonic())
                if stream := await self._requests.run(send):
                    await self._stream(protocol, *stream)
        finally:
            self._large_bodies -= length > SMALL_BODY

    async def _body(self, protocol: "HTTPProtocol", length: float) -> tuple[bytes, str]:
        """Return the body, and why the request is refused, if it is."""
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if length == 0:
            return b"", ""
        if limit < length < CHUNKED:
            return b"", TOO_LARGE
        if length > SMALL_BODY and self._large_bodies > LARGE_BODIES:
            return b"", OVERLOADED
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await (protocol() if length <= SMALL_BODY else _read(protocol, limit))
        except (TimeoutError, ProtocolClosed) as error:
            return b"", TOO_SLOW if isinstance(error, TimeoutError) else BROKEN_OFF
        if len(body) > limit:
            return b"", TOO_LARGE
        return body, BROKEN_OFF if len(body) < length < CHUNKED else ""

    def _send(self, environ: dict[str, Any], protocol: "HTTPProtocol", arrived: float) -> Answer | None:
        """Answer from this thread, which saves a hop to the loop; return an answer that is to be streamed."""
        if time.monotonic() - arrived > WAIT_SECONDS:
            environ[REFUSED] = OVERLOADED
        status, headers, result = self._call(environ)
        if getattr(result, "streaming", False) or isinstance(result, FileWrapper):
            return status, headers, result
        try:
            protocol.response_bytes(status, headers, b"".join(result))
        finally:
            result.close()
        return None

    def _call(self, environ: dict[str, Any]) -> Answer:
        begun: list[Any] = []
        result = self._application(environ, lambda *status_and_headers: begun.append(status_and_headers))
        status, headers, *_ = begun[-1]
        return int(status[:3]), headers, result

    async def _stream(self, protocol: "HTTPProtocol", status: int, headers: list[tuple[str, str]], result: Any) -> None:
        """Send chunk by chunk. A thread makes each; nothing but this coroutine waits for the client to take it."""
        chunks: Iterator[bytes] = iter(result)
        try:
            transport = protocol.response_stream(status, headers)
            while (chunk := await self._requests.run(partial(next, chunks, None))) is not None:
                await transport.send_bytes(chunk)
        except ProtocolClosed:
            pass  # the client has gone
        finally:
            await self._requests.run(result.close)

    async def _answer_probe(self, pool: Pool, environ: dict[str, Any], protocol: "HTTPProtocol") -> None:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                answer = await pool.run(partial(self._answer_whole, environ))
        except TimeoutError:
            answer = probe_timed_out()
        protocol.response_bytes(*answer)

    def _answer_whole(self, environ: dict[str, Any]) -> Answer:
        status, headers, result = self._call(environ)
        try:
            return status, headers, b"".join(result)
        finally:
            result.close()


def _length(headers: Headers) -> float:
    """Return the bytes of the body; CHUNKED where it comes in chunks, whatever else is said of its length."""
    named = dict(headers)
    if "transfer-encoding" in named:
        return CHUNKED
    length = named.get("content-length", "0")
    return int(length) if length.isdecimal() else CHUNKED


async def _read(protocol: "HTTPProtocol", limit: int) -> bytes:
    """Read a body, or as much of it as shows that it exceeds the limit.

    The server ends a body whose chunks are malformed as if it were whole. What is left of a JSON document cannot be
    parsed, so no harm is done.
    """
    body = bytearray()
    async for chunk in protocol:
        body += chunk
        if len(body) > limit:
            break
    return bytes(body)
