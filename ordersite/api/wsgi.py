"""Puts right what a server hands over and Django cannot read, before there is a request that could be answered."""

import re
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from django.conf import settings

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

CHARSET = re.compile(r"""\s*;\s*charset\s*=\s*("[^"]*"|[^;]*)""", re.IGNORECASE)


class Readable:
    """A WSGI application whose requests all become one of Django's."""

    def __init__(self, application: Wsgi) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer the request."""
        _drop_charset(environ)
        _measure_body(environ)
        return self._application(environ, start_response)


def _drop_charset(environ: dict[str, Any]) -> None:
    """Forget the charset of a body: JSON is UTF-8, whatever is said of it (RFC 8259, 8.1 and 11), and so are forms.

    Django would read the query by it, and fail outside of all that answers errors where the query cannot be read so.
    """
    if "charset" in environ.get("CONTENT_TYPE", "").lower():
        environ["CONTENT_TYPE"] = CHARSET.sub("", environ["CONTENT_TYPE"])


def _measure_body(environ: dict[str, Any]) -> None:
    """Give a body that came without its length (in chunks, or by HTTP/2) a length: Django takes it for none at all.

    A body that is too large is read until that is seen.
    """
    if environ.get("CONTENT_LENGTH") or not environ.get("wsgi.input_terminated"):
        return
    body = environ["wsgi.input"].read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    environ["wsgi.input"] = BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
