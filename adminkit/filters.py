"""Filters of lists, beside those that unfold brings. A bound that cannot be read is an error, and leaves no rows."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from functools import cached_property
from typing import Any

from django import forms
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RangeDateFilter, RangeNumericFilter
from unfold.contrib.filters.forms import RangeDateForm, RangeNumericForm


class DaysForm(RangeDateForm):  # type: ignore[misc]  # unfold has no types
    """The first and the last day. unfold has them told apart by what they hold while they are empty."""

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(name, *args, **kwargs)
        _label(self, name, "First day", "Last day")


class AmountsForm(RangeNumericForm):  # type: ignore[misc]
    """The smallest and the largest amount. unfold's own reads floats, which are no decimals."""

    def __init__(self, name: str, field: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(name, *args, **kwargs)
        for end in ("from", "to"):
            widget = self.fields[f"{name}_{end}"].widget
            self.fields[f"{name}_{end}"] = field.formfield(required=False, label="", widget=widget)
        _label(self, name, "Smallest amount", "Largest amount")


def _label(form: forms.Form, name: str, first: str, last: str) -> None:
    for end, label in (("from", first), ("to", last)):
        form.fields[f"{name}_{end}"].widget.attrs["aria-label"] = label


class RangeFilter:
    """Rows between two bounds, both included, which a form reads."""

    title: Any
    request: HttpRequest
    parameter_name: str
    used_parameters: dict[str, Any]

    def make_form(self, **bounds: Any) -> forms.Form:
        """Return the form for these bounds."""
        raise NotImplementedError

    def smallest(self, bound: Any) -> Any:
        """Return the smallest value that the lower bound includes."""
        return bound

    def largest(self, bound: Any) -> Any:
        """Return the largest value that the upper bound includes."""
        return bound

    @cached_property
    def form(self) -> forms.Form:
        """Return the form with the bounds of the address."""
        names = (f"{self.parameter_name}_from", f"{self.parameter_name}_to")
        return self.make_form(data={name: self.used_parameters.get(name) for name in names})

    @property
    def problem(self) -> str:
        """Return what is wrong with the bounds; "" where both can be read."""
        wrong = [
            f"{self.form.fields[name].widget.attrs['aria-label']}: {errors[0]}"
            for name, errors in self.form.errors.items()
        ]
        return f"The filter by {self.title} cannot be read, so no rows are shown. {' '.join(wrong)}" if wrong else ""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows between the bounds; none where one cannot be read."""
        if self.problem:
            return queryset.none()
        lower, upper = (self.form.cleaned_data[f"{self.parameter_name}_{end}"] for end in ("from", "to"))
        if lower is not None:
            queryset = queryset.filter(**{f"{self.parameter_name}__gte": self.smallest(lower)})
        if upper is not None:
            queryset = queryset.filter(**{f"{self.parameter_name}__lte": self.largest(upper)})
        return queryset

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield the form, with its errors."""
        yield {"request": self.request, "parameter_name": self.parameter_name, "form": self.form}


class DaysFilter(RangeFilter, RangeDateFilter):  # type: ignore[misc]
    """Days (UTC) of a moment, the last one included: unfold's own ends as the last day begins."""

    def make_form(self, **bounds: Any) -> forms.Form:
        """Return the form of two days."""
        return DaysForm(self.parameter_name, **bounds)

    def smallest(self, bound: date) -> datetime:
        """Return the beginning of the first day."""
        return datetime.combine(bound, time.min, tzinfo=UTC)

    def largest(self, bound: date) -> datetime:
        """Return the end of the last day."""
        return datetime.combine(bound, time.max, tzinfo=UTC)


class AmountsFilter(RangeFilter, RangeNumericFilter):  # type: ignore[misc]
    """The smallest and the largest amount, both included."""

    field: Any

    def make_form(self, **bounds: Any) -> forms.Form:
        """Return the form of two amounts, as the column holds them."""
        return AmountsForm(self.parameter_name, self.field, **bounds)
