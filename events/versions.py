"""Versions of what is shown (RFC 9110, 8.8.3): who has the present one already is told so, and not sent it again."""

import hashlib
from collections.abc import Sequence
from typing import Any

from rest_framework import serializers


def etag(serializer: type[serializers.Serializer[Any]], *values: object) -> str:
    """Return the entity tag of an answer that follows from these values, and from what its serializer shows of them.

    So a release that shows more of an old row gives it another tag.
    """
    fields: Sequence[str] = getattr(getattr(serializer, "Meta", None), "fields", ())
    shown = repr((serializer.__qualname__, fields, values))
    return f'"{hashlib.sha256(shown.encode()).hexdigest()[:32]}"'
