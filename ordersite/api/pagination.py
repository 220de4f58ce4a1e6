"""Pages with a cursor: page 10,000 costs what page 1 does."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

MAX_PAGE_SIZE = 100


class KeysetPagination(CursorPagination):
    """DRF's cursor pages in the order that the queryset has, with a page_size that is checked."""

    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = MAX_PAGE_SIZE

    def get_page_size(self, request: Request) -> int:
        """Return the page size, or raise ValidationError where it is not 1 to 100."""
        given = request.query_params.get("page_size", str(self.page_size))
        if given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= MAX_PAGE_SIZE:
            return int(given)
        raise ValidationError({"page_size": [f"Give a number from 1 to {MAX_PAGE_SIZE}."]})

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        """Return the queryset's own order; views set it, ending in a unique field."""
        return tuple(str(name) for name in queryset.query.order_by)
