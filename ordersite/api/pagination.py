"""Pages with a cursor: page 10,000 costs what page 1 does."""

from typing import Any

from django.core import signing
from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

MAX_PAGE_SIZE = 100


class KeysetPagination(CursorPagination):
    """DRF's cursor pages in the order that the queryset has, with a page_size that is checked.

    Cursors are signed, each for one ordering: what stands in them goes into the query as it is. DRF's own may be made
    up, and so it cuts their offset at 1,000, which loses the rows after that where so many are equal.
    """

    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = MAX_PAGE_SIZE

    def get_page_size(self, request: Request) -> int:
        """Return the page size, or raise ValidationError where it is not 1 to 100."""
        given = request.query_params.get("page_size", str(self.page_size))
        if given.isascii() and given.isdigit() and len(given) <= 9 and 1 <= int(given) <= MAX_PAGE_SIZE:
            return int(given)
        raise ValidationError({"page_size": [f"Give a number from 1 to {MAX_PAGE_SIZE}."]})

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        """Return the queryset's own order; views set it, ending in a unique field."""
        return tuple(str(name) for name in queryset.query.order_by)

    def encode_cursor(self, cursor: Cursor) -> str:
        """Return the link to the page at this cursor."""
        token = signing.dumps([cursor.offset, cursor.reverse, cursor.position], salt=self._salt())
        return replace_query_param(str(self.base_url), self.cursor_query_param, token)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Return the cursor of the request, None on the first page, or raise ValidationError for a made-up one."""
        token = request.query_params.get(self.cursor_query_param)
        if token is None:
            return None
        try:
            return Cursor(*signing.loads(token, salt=self._salt()))
        except signing.BadSignature as error:
            detail = "Give one from `next` or `previous`, with the same ordering."
            raise ValidationError({"cursor": [detail]}) from error

    def _salt(self) -> str:
        return f"cursor {' '.join(self.ordering)}"
