"""Builds the WSGI environ (PEP 3333) of a request that has been read."""

import sys
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper

if TYPE_CHECKING:
    from granian.rsgi import Scope

Headers = Sequence[tuple[str, str]]

# Bytes of a file that are read and sent at once; Django would take 4 kB, and a hop between threads each time.
FILE_CHUNK = 65_536
_UNPREFIXED = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


def wrap_file(file: Any, chunk: int = 0) -> FileWrapper:
    return FileWrapper(file, FILE_CHUNK)


_SAME_FOR_ALL: dict[str, Any] = {
    "SCRIPT_NAME": "",
    "wsgi.errors": sys.stderr,
    "wsgi.file_wrapper": wrap_file,
    "wsgi.multiprocess": True,
    "wsgi.multithread": True,
    "wsgi.run_once": False,
    "wsgi.version": (1, 0),
}


def build_environ(scope: "Scope", headers: Headers, body: bytes) -> dict[str, Any]:
    """Return the environ of a request. `headers` are its names in lower case, with their values, as they came.

    A header whose name has an underscore is dropped: an environ cannot tell it from the one with hyphens, so a client's
    `X_Forwarded_For` would pass for the `X-Forwarded-For` of a trusted proxy.
    """
    server_name, _, server_port = scope.server.rpartition(":")
    environ = {
        **_SAME_FOR_ALL,
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": server_name.strip("[]"),
        "SERVER_PORT": server_port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(body),
    }
    for name, value in headers:
        if "_" not in name:
            _add(environ, name, value)
    if scope.authority:  # the request line names the host, so the Host header does not count (RFC 9112, 3.2.2)
        environ["HTTP_HOST"] = scope.authority
    if body:  # a body in chunks came without its length
        environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def _add(environ: dict[str, Any], name: str, value: str) -> None:
    """Add a header; one that came several times becomes one (RFC 9110, 5.3; cookies: RFC 6265, 5.4)."""
    key = _UNPREFIXED.get(name) or f"HTTP_{name.upper().replace('-', '_')}"
    if key in environ:
        value = f"{environ[key]}{'; ' if name == 'cookie' else ','}{value}"
    environ[key] = value
