"""What every input of the API has in common: in a body a field that nobody knows is refused, by name, and so is a value
of another type than the field's, however it may be read; in a query a value that is empty, or one of several.

A misspelt field would else be taken for one that was left out, and a default for what was meant.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

MOST = 20  # unknown fields that are told of


class Strict(serializers.Serializer[Any]):
    """A serializer of input that refuses unknown fields, and those that cannot be set, beside all that is wrong."""

    def to_internal_value(self, data: Any) -> Any:
        wrong = self._refused(data) | self._wrong_types(data) if isinstance(data, Mapping) else {}
        return _validated(super().to_internal_value, data, wrong)

    def _refused(self, data: Mapping[str, Any]) -> dict[str, Any]:
        settable = [name for name, field in self.fields.items() if not field.read_only]
        known = f"Known here: {', '.join(settable)}." if settable else "None is known here."
        unknown = (name for name in data if name not in settable)
        return {
            str(name): ["It cannot be set here." if name in self.fields else f"There is no such field. {known}"]
            for name in islice(unknown, MOST)
        }

    def _wrong_types(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Refuse what DRF would make a text, a number or a boolean of: 5 for a name, "yes" for a flag."""
        given = ((name, field, data[name]) for name, field in self.fields.items() if data.get(name) is not None)
        return {name: told for name, field, value in given if (told := _mistyped(field, value))}


def _is_decimal(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[0-9]+(\.[0-9]+)?", value))


TYPES: Sequence[tuple[type, Callable[[object], bool], str]] = (
    (serializers.CharField, lambda value: isinstance(value, str), "Give a string."),
    (serializers.DecimalField, _is_decimal, 'Give a decimal number in a string, such as "9.50".'),
    (serializers.IntegerField, lambda value: type(value) is int, "Give a whole number."),  # not 2.0, "2" or true
    (serializers.BooleanField, lambda value: isinstance(value, bool), "Give true or false."),
)


def _mistyped(field: object, value: object) -> list[str]:
    return [told for kind, fits, told in TYPES if isinstance(field, kind) and not fits(value)]


class Query(serializers.Serializer[Any]):
    """A serializer of a query string. An empty value, and one that is given twice, could mean anything."""

    def to_internal_value(self, data: Any) -> Any:
        wrong = {name: told for name, field in self.fields.items() if (told := _unclear(field, data.getlist(name)))}
        return _validated(super().to_internal_value, data, wrong)


def twice(given: Sequence[str]) -> list[str]:
    """Return what is to be told of a query parameter with these values: nothing where it is given once at most."""
    return ["Give it once."] if len(given) > 1 else []


def _unclear(field: object, given: Sequence[str]) -> list[str]:
    if told := twice(given):
        return told
    empty = given == [""] and not getattr(field, "allow_blank", False)
    return ["It is empty. Give a value, or leave it out."] if empty else []


def _validated(validate: Callable[[Any], Any], data: Any, wrong: Mapping[str, Any]) -> Any:
    """Return the validated values, or raise ValidationError with all that is wrong; `wrong`: what is known to be."""
    try:
        value = validate(data)
    except serializers.ValidationError as error:
        if not isinstance(error.detail, dict):
            raise
        # What is known to be wrong comes first, and in place of what DRF says of the same field.
        raise serializers.ValidationError({**wrong, **error.detail, **wrong}) from error
    if wrong:
        raise serializers.ValidationError(dict(wrong))
    return value


def expect_no_fields(request: Request) -> None:
    """Raise ValidationError where a request that needs no body brings fields."""
    if request.data or not isinstance(request.data, Mapping):
        Strict(data=request.data).is_valid(raise_exception=True)
