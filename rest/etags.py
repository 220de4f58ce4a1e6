"""Entity tags (RFC 9110, 8.8.3): a client that has the current version gets 304 and no body."""

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any

from django.http import HttpResponseBase
from django.utils.cache import get_conditional_response
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response


def etag(serializer: type[serializers.Serializer[Any]], *values: object) -> str:
    """Return the entity tag of an answer that follows from these values and from the fields of its serializer.

    So a release that adds a field gives an old row another tag.
    """
    version = repr((_field_names(serializer), values))
    return f'"{hashlib.sha256(version.encode()).hexdigest()[:32]}"'


def unless_current(request: Request, tag: str, show: Callable[[], Any]) -> HttpResponseBase:
    """Return what `show` gives, with its tag; 304 without asking it where the client has this version."""
    known: HttpResponseBase | None = get_conditional_response(request, etag=tag)
    answer = Response(show()) if known is None else known
    answer["ETag"] = tag
    return answer


@cache
def _field_names(serializer: type[serializers.Serializer[Any]]) -> str:
    """Return the names of all fields, with those of the serializers in them."""
    return repr(_names(serializer()))


def _names(field: serializers.Field[Any, Any, Any, Any]) -> Any:
    inner = field.child if isinstance(field, serializers.ListSerializer) else field
    if not isinstance(inner, serializers.Serializer):
        return ""
    return {name: _names(one) for name, one in inner.fields.items()}
