"""What every body that the API takes has in common: a field that nobody knows is refused, by name.

A misspelt field would else be taken for one that was left out, and a default for what was meant.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

MOST = 20  # unknown fields that are told of


class Strict(serializers.Serializer[Any]):
    """A serializer of input that refuses unknown fields, and those that cannot be set, beside all that is wrong."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the validated values, or raise ValidationError."""
        unknown = self._refused(data) if isinstance(data, Mapping) else {}
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if not isinstance(error.detail, dict):
                raise
            raise serializers.ValidationError(unknown | error.detail) from error
        if unknown:
            raise serializers.ValidationError(unknown)
        return value

    def _refused(self, data: Mapping[str, Any]) -> dict[str, Any]:
        settable = [name for name, field in self.fields.items() if not field.read_only]
        known = f"Known here: {', '.join(settable)}." if settable else "None is known here."
        unknown = (name for name in data if name not in settable)
        return {
            str(name): ["It cannot be set here." if name in self.fields else f"There is no such field. {known}"]
            for name in islice(unknown, MOST)
        }


class NoFields(Strict):
    """The body of a request that needs none."""


def expect_no_fields(request: Request) -> None:
    """Raise ValidationError where a request that needs no body brings fields."""
    if request.data:
        NoFields(data=request.data).is_valid(raise_exception=True)
