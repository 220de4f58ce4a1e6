"""Puts right what a server hands over and Django cannot read, before there is a request that could be answered."""

import logging
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

from uuid_utils.compat import uuid7

from events.correlation import correlated
from rest.problems import server_error

logger = logging.getLogger(__name__)

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

LONGEST_TYPE = 256
"""Characters that are read of a Content-Type."""
BOUNDARY = re.compile(r"""boundary="?([0-9A-Za-z'()+_,./:=?-]{1,70})""", re.IGNORECASE)  # RFC 2046, 5.1.1, no spaces


class Readable:
    """A WSGI application whose requests all become one of Django's, and whose answers are all problems at least."""

    def __init__(self, application: Wsgi) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            environ["CONTENT_TYPE"] = _plain(environ.get("CONTENT_TYPE", ""))
            return self._application(environ, start_response)
        except Exception:  # noqa: BLE001 - whatever it is, it is told as a problem
            return _failed(start_response)


def _plain(content_type: str) -> str:
    """Return the media type without what only confuses: of its parameters only the boundary of a form is kept.

    JSON is UTF-8, whatever is said of it (RFC 8259, 8.1 and 11), and so are forms. Django would read the query by the
    charset, and would fail at some parameters outside of all that answers errors.
    """
    media_type = content_type[:LONGEST_TYPE].partition(";")[0].strip()
    boundary = BOUNDARY.search(content_type[:LONGEST_TYPE])
    if media_type.lower() == "multipart/form-data" and boundary:
        return f"{media_type}; boundary={boundary[1]}"
    return media_type


def _failed(start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request that failed where no handler of Django's is: before there is one, or while it is begun."""
    request_id = str(uuid7())
    with correlated(request_id):
        logger.exception("a request failed outside of Django")
        answer = server_error()
    headers = [*answer.items(), ("X-Request-ID", request_id), ("Content-Length", str(len(answer.content)))]
    start_response(f"{answer.status_code} {answer.reason_phrase}", headers, sys.exc_info())
    return [answer.content]
