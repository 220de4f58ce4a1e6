"""Lists of the admin that are filtered only by what they declare, and show no rows where a filter cannot be read."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList
else:
    from unfold.views import ChangeList

UNREADABLE = "The value of a filter cannot be read, so no rows are shown."


class DeclaredList(ChangeList):
    """A list that takes from the address only the parameters of `list_filter` and `date_hierarchy`.

    Django's own takes any column, of related tables too: `?password__startswith=a` reads a password hash that no page
    shows, letter by letter.
    """

    _unreadable = False

    @property
    def problems(self) -> Sequence[str]:
        """Return what is wrong with the filters in the address. A filter with a `problem` leaves no rows itself."""
        of_filters = [problem for spec in self.filter_specs if (problem := getattr(spec, "problem", ""))]
        return [*([UNREADABLE] if self._unreadable else []), *of_filters]

    def get_filters(self, request: HttpRequest) -> Any:
        """Return the filters. Raises DisallowedModelAdminLookup for a parameter that the list does not declare."""
        if any("\0" in value for values in self.filter_params.values() for value in values):
            raise IncorrectLookupParameters("PostgreSQL has no NUL in a text")
        try:
            found = super().get_filters(request)
        except (ValueError, OverflowError) as error:  # a date hierarchy of the year 9999, which has no next year
            raise IncorrectLookupParameters(error) from error
        remaining = set(found[2]) - {f"{self.date_hierarchy}__gte", f"{self.date_hierarchy}__lt"}
        if remaining:
            raise DisallowedModelAdminLookup(f"Filtering by {', '.join(sorted(remaining))} not allowed")
        return found

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """Return the rows; none where a filter cannot be read: an export and an action would take all of them."""
        try:
            rows = super().get_queryset(request, exclude_parameters)
        except IncorrectLookupParameters:
            self._unreadable = True
            self.filter_params = {}
            rows = super().get_queryset(request, exclude_parameters)
        return rows.none() if self._unreadable else rows

    def get_results(self, request: HttpRequest) -> None:
        """Find the rows of the page; those of the first, where there is no such page."""
        try:
            super().get_results(request)
        except IncorrectLookupParameters:
            self.page_num = 1
            super().get_results(request)
