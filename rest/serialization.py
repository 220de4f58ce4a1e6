"""Serializers that are built once, and read by functions that are made once: each costs more than its use.

DRF makes the fields of a serializer, and a ModelSerializer looks through its model, each time that one is called for;
and it asks each field of each instance in general terms. What is here uses one instance of each serializer for all
requests, so it is for serializers that keep nothing of a request: they read no context, instance or initial data.
"""

from collections.abc import Callable, Iterable
from functools import cache
from operator import attrgetter
from typing import Any, cast

from django.db.models.manager import BaseManager
from rest_framework import serializers
from rest_framework.fields import SkipField

Kind = Callable[[], serializers.BaseSerializer[Any]]
Read = Callable[[Any], Any]

DRFS_OWN = (serializers.Serializer.to_representation, serializers.ModelSerializer.to_representation)


def represent(serializer: Kind, instance: object) -> dict[str, Any]:
    """Return what the serializer shows of the instance, as its `data` does."""
    return cast(dict[str, Any], _reader(serializer)(instance))


def represent_all(serializer: Kind, instances: Iterable[object]) -> list[dict[str, Any]]:
    """Return what the serializer shows of each, as its `data` does with `many=True`."""
    read = _reader(serializer)
    return [read(instance) for instance in instances]


def validated(serializer: Kind, data: Any) -> dict[str, Any]:
    """Return the validated data. Raises ValidationError, as is_valid() does, in nearly the same words."""
    return cast(dict[str, Any], _built(serializer).run_validation(data))


@cache
def _built(serializer: Any) -> Any:
    return serializer()


@cache
def _reader(serializer: Any) -> Read:
    return _representer(_built(serializer))


def _representer(field: Any) -> Read:
    """Return a function from a field's value to what is shown of it: its to_representation(), made beforehand."""
    if type(field) is serializers.ListSerializer:
        show = _representer(field.child)
        return lambda values: [show(one) for one in (values.all() if isinstance(values, BaseManager) else values)]
    if not isinstance(field, serializers.Serializer) or type(field).to_representation not in DRFS_OWN:
        return cast(Read, field.to_representation)
    readable = [one for one in field.fields.values() if not one.write_only]
    if any(isinstance(one, serializers.RelatedField) for one in readable):
        return field.to_representation
    parts = [(str(one.field_name), _getter(one), _representer(one)) for one in readable]

    def read(instance: Any) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for name, get, show in parts:
            try:
                value = get(instance)
            except SkipField:
                continue
            shown[name] = None if value is None else show(value)
        return shown

    return read


def _getter(field: Any) -> Read:
    """Return a function from an instance to a field's value: a plain look-up where that is all of get_attribute()."""
    drfs: Read = field.get_attribute
    if type(field).get_attribute is not serializers.Field.get_attribute or not field.source_attrs:
        return drfs
    plain = attrgetter(".".join(field.source_attrs))

    def get(instance: Any) -> Any:
        try:
            value = plain(instance)
        except AttributeError:  # a mapping, or a field that may be absent
            return drfs(instance)
        return drfs(instance) if callable(value) else value

    return get
