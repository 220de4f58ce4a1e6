"""Pages with a cursor: page 10,000 costs what page 1 does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.db.models import F, Model, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from rest.strict import twice

MAX_PAGE_SIZE = 100


@dataclass(frozen=True)
class Place:
    """Where a page begins: beside the row with these values in the columns of the ordering, after or before it."""

    backwards: bool
    values: Sequence[str]


class KeysetPagination(CursorPagination):
    """Pages in the order that the queryset has, with a page_size that is checked.

    The queryset's ordering goes one way and ends in a unique column, so the values of its columns name a row, and a
    comparison of whole rows (`(price, id) > (x, y)`) finds the page by the ordering's index. DRF's own compares the
    first column and counts the rows that are equal in it: slow, where very many are. Cursors are signed, each for one
    ordering: what stands in them goes into the query as it is.
    """

    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = MAX_PAGE_SIZE

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return the rows of the page. Raises ValidationError for a bad size or a cursor that is made up."""
        self._ordering = [str(name) for name in queryset.query.order_by]
        self._base_url = request.build_absolute_uri()
        size = self.get_page_size(request)
        place = self._place(request)
        found = list(_from(queryset, self._ordering, place)[: size + 1])
        more, rows = len(found) > size, found[:size]
        backwards = bool(place and place.backwards)
        if backwards:
            rows.reverse()
        self._next = self._link(rows[-1], backwards=False) if rows and (more or backwards) else None
        self._previous = self._link(rows[0], backwards=True) if rows and (more if backwards else place) else None
        return rows

    def get_page_size(self, request: Request) -> int:
        """Return the page size, or raise ValidationError where it is not 1 to 100."""
        given = _once(request, self.page_size_query_param)
        if given is None:
            return self.page_size
        if given.isascii() and given.isdigit() and len(given) <= 9 and 1 <= int(given) <= MAX_PAGE_SIZE:
            return int(given)
        raise ValidationError({"page_size": [f"Give a number from 1 to {MAX_PAGE_SIZE}."]})

    def get_paginated_response(self, data: Any) -> Response:
        """Return the page with the links to the two beside it."""
        return Response({"next": self._next, "previous": self._previous, "results": data})

    def _place(self, request: Request) -> Place | None:
        """Return where the page begins, None for the first one, or raise ValidationError for a made-up cursor."""
        token = _once(request, self.cursor_query_param)
        if token is None:
            return None
        try:
            return Place(*signing.loads(token, salt=self._salt()))
        except signing.BadSignature as error:
            detail = "Give one from `next` or `previous`, with the same ordering."
            raise ValidationError({"cursor": [detail]}) from error

    def _link(self, row: Model, *, backwards: bool) -> str:
        fields = [row._meta.get_field(name.lstrip("-")) for name in self._ordering]
        values = [field.value_to_string(row) for field in fields]  # type: ignore[union-attr]  # columns, all of them
        token = signing.dumps([backwards, values], salt=self._salt())
        return replace_query_param(self._base_url, self.cursor_query_param, token)

    def _salt(self) -> str:
        return f"keyset {' '.join(self._ordering)}"


def _once(request: Request, name: str) -> str | None:
    """Return a query parameter, None where it is not there; raise ValidationError where it could mean several."""
    given = request.query_params.getlist(name)
    if told := twice(given):
        raise ValidationError({name: told})
    return given[0] if given else None


def _from(rows: QuerySet[Any], ordering: Sequence[str], place: Place | None) -> QuerySet[Any]:
    """Return the rows beyond this place, the nearest first."""
    if place is None:
        return rows
    columns = [name.lstrip("-") for name in ordering]
    values = [rows.model._meta.get_field(c).to_python(v) for c, v in zip(columns, place.values, strict=True)]
    beyond = TupleLessThan if ordering[0].startswith("-") != place.backwards else TupleGreaterThan
    nearest = rows.reverse() if place.backwards else rows
    return nearest.filter(beyond(Tuple(*map(F, columns)), values))
