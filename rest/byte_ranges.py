"""A part of a file, as a client asks for it that was cut off before (RFC 9110, 14)."""

import re
from typing import Protocol

from django.http import HttpRequest
from rest_framework.exceptions import APIException

# From a byte to another, or to the end; or the last so many.
_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{1,18})?|-(\d{1,18}))")


class RangeNotSatisfiable(APIException):
    status_code = 416
    default_code = "range_not_satisfiable"

    def __init__(self, size: int) -> None:
        super().__init__(f"The file has {size:,} bytes, and none of those that Range names.")


class Readable(Protocol):
    """What can be read from where it stands, and is closed in the end."""

    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


class Part:
    """The next `length` bytes of a file, for FileResponse, which closes it."""

    def __init__(self, file: Readable, length: int) -> None:
        self._file, self._left = file, length

    def read(self, size: int) -> bytes:
        chunk = self._file.read(min(size, self._left)) if self._left else b""
        self._left -= len(chunk)
        return chunk

    def close(self) -> None:
        self._file.close()


def byte_range(request: HttpRequest, *, size: int, etag: str) -> tuple[int, int] | None:
    """Return the first and last byte that the request asks for; None where it asks for the whole file.

    So it does where Range names several parts or another unit, or If-Range another version of the file.
    Raises RangeNotSatisfiable.
    """
    asked = _RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    if request.method != "GET" or not asked or request.headers.get("If-Range", etag) != etag:
        return None
    first, last, length = asked.groups()
    if last and int(last) < int(first):
        return None
    begin, end = (int(first), int(last or size)) if first else (size - int(length), size)
    begin, end = max(begin, 0), min(end, size - 1)
    if begin > end:
        raise RangeNotSatisfiable(size)
    return begin, end
