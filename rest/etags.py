"""Versions of what is shown (RFC 9110, 8.8.3): who has the present one already is told so, and not sent it again."""

import hashlib
from functools import cache
from typing import Any

from rest_framework import serializers


def etag(serializer: type[serializers.Serializer[Any]], *values: object) -> str:
    """Return the entity tag of an answer that follows from these values, and from what its serializer shows of them.

    So a release that shows more of an old row gives it another tag.
    """
    shown = repr((_shown(serializer), values))
    return f'"{hashlib.sha256(shown.encode()).hexdigest()[:32]}"'


@cache
def _shown(serializer: type[serializers.Serializer[Any]]) -> str:
    """Return the names of all fields, with those of the serializers in them."""
    return repr(_names(serializer()))


def _names(field: serializers.Field[Any, Any, Any, Any]) -> Any:
    inner = field.child if isinstance(field, serializers.ListSerializer) else field
    if not isinstance(inner, serializers.Serializer):
        return ""
    return {name: _names(one) for name, one in inner.fields.items()}
