"""Serializers that are built once: to build one costs more than to use it.

DRF makes the fields of a serializer, and a ModelSerializer looks through its model, each time that one is called for.
What is here uses one instance of each for all requests, so it is for serializers that keep nothing of a request: they
read no context, no instance and no initial data.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, cast

from rest_framework import serializers

Kind = Callable[[], serializers.BaseSerializer[Any]]


def represent(serializer: Kind, instance: object) -> dict[str, Any]:
    """Return what the serializer shows of the instance, as its `data` does."""
    return cast(dict[str, Any], _built(serializer).to_representation(instance))


def represent_all(serializer: Kind, instances: Iterable[object]) -> list[dict[str, Any]]:
    """Return what the serializer shows of each, as its `data` does with `many=True`."""
    return [represent(serializer, instance) for instance in instances]


def validated(serializer: Kind, data: Any) -> dict[str, Any]:
    """Return the validated data. Raises ValidationError, as is_valid() does, in nearly the same words."""
    return cast(dict[str, Any], _built(serializer).run_validation(data))


@cache
def _built(serializer: Any) -> Any:
    return serializer()
