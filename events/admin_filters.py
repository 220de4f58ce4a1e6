"""Filters of lists, beside those that unfold brings."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RangeDateFilter, RangeNumericFilter
from unfold.contrib.filters.forms import RangeDateForm
from unfold.utils import parse_date_str


class DaysForm(RangeDateForm):  # type: ignore[misc]  # unfold has no types
    """The first and the last day. unfold has them told apart by what they hold while they are empty."""

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(name, *args, **kwargs)
        self.fields[f"{name}_from"].widget.attrs["aria-label"] = "First day"
        self.fields[f"{name}_to"].widget.attrs["aria-label"] = "Last day"


class DaysFilter(RangeDateFilter):  # type: ignore[misc]
    """Days (UTC) of a moment, the last one included: unfold's own ends as the last day begins."""

    form_class = DaysForm

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of these days; a day that cannot be read filters nothing, and the form says so."""
        first, last = (
            parse_date_str(self.used_parameters.get(f"{self.parameter_name}_{end}")) for end in ("from", "to")
        )
        if first:
            queryset = queryset.filter(**{f"{self.parameter_name}__gte": _moment(first, time.min)})
        if last:
            queryset = queryset.filter(**{f"{self.parameter_name}__lte": _moment(last, time.max)})
        return queryset


def _moment(day: date, of_day: time) -> datetime:
    return datetime.combine(day, of_day, tzinfo=UTC)


class AmountsFilter(RangeNumericFilter):  # type: ignore[misc]
    """The smallest and the largest amount, both included."""

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield the form. unfold has its fields told apart by what they hold while they are empty."""
        for choice in super().choices(changelist):
            for end, label in (("from", "Smallest amount"), ("to", "Largest amount")):
                choice["form"].fields[f"{self.parameter_name}_{end}"].widget.attrs["aria-label"] = label
            yield choice
