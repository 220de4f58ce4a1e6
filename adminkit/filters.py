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


class RangeFilter:
    """Rows between two bounds, both included, which a form of unfold reads.

    `labels` name them: unfold has them told apart by what they hold while they are empty.
    """

    labels: tuple[str, str]
    title: Any
    request: HttpRequest
    parameter_name: str
    used_parameters: dict[str, Any]

    def make_form(self, bounds: dict[str, Any]) -> Any:
        raise NotImplementedError

    def smallest(self, bound: Any) -> Any:
        """Return the smallest value that the lower bound includes."""
        return bound

    def largest(self, bound: Any) -> Any:
        """Return the largest value that the upper bound includes."""
        return bound

    @cached_property
    def form(self) -> forms.Form:
        names = (f"{self.parameter_name}_from", f"{self.parameter_name}_to")
        form: forms.Form = self.make_form({name: self.used_parameters.get(name) for name in names})
        for name, label in zip(names, self.labels, strict=True):
            form.fields[name].widget.attrs["aria-label"] = label
        return form

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
        yield {"request": self.request, "parameter_name": self.parameter_name, "form": self.form}


class DaysFilter(RangeFilter, RangeDateFilter):  # type: ignore[misc]  # unfold has no types
    """Days (UTC) of a moment, the last one included: unfold's own ends as the last day begins."""

    labels = ("First day", "Last day")

    def make_form(self, bounds: dict[str, Any]) -> Any:
        return RangeDateForm(self.parameter_name, data=bounds)

    def smallest(self, bound: date) -> datetime:
        return datetime.combine(bound, time.min, tzinfo=UTC)

    def largest(self, bound: date) -> datetime:
        return datetime.combine(bound, time.max, tzinfo=UTC)


class AmountsFilter(RangeFilter, RangeNumericFilter):  # type: ignore[misc]
    """The smallest and the largest amount, both included. unfold's own form reads floats, which are no decimals."""

    labels = ("Smallest amount", "Largest amount")
    field: Any

    def make_form(self, bounds: dict[str, Any]) -> Any:
        form = RangeNumericForm(self.parameter_name, data=bounds)
        for name, shown in form.fields.items():
            form.fields[name] = self.field.formfield(required=False, label="", widget=shown.widget)
        return form
