"""What the API says of itself. Each app has its part in its module `openapi`; settings.API_DESCRIBED joins them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from django.conf import settings
from django.utils.module_loading import import_string

from rest import codes
from rest.codes import Code
from rest.openapi.operation import Operation

T = TypeVar("T")


@dataclass(frozen=True)
class Described:
    """What a person must say of a part of the API, beyond what its views and serializers tell.

    `operations` by method and path. `words` say what the fields mean, by component and field; a component that a body
    has (`ProductRequest`, `PatchedProductRequest`) shares the words of the one that answers have. `bounds` of fields
    likewise. `codes` are the errors of its own.
    """

    operations: Mapping[str, Operation]
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    bounds: Mapping[str, Mapping[str, dict[str, Any]]] = field(default_factory=dict)
    codes: tuple[Code, ...] = ()

    def __or__(self, other: "Described") -> "Described":
        """Return both parts. Raises ValueError for what both describe."""
        return Described(
            _union(self.operations, other.operations),
            _union(self.words, other.words),
            _union(self.bounds, other.bounds),
            (*self.codes, *other.codes),
        )


def _union(one: Mapping[str, T], other: Mapping[str, T]) -> dict[str, T]:
    if doubled := one.keys() & other.keys():
        raise ValueError(f"described twice: {', '.join(sorted(doubled))}")
    return {**one, **other}


@cache
def described() -> Described:
    """Return what is said of the whole API. It is read at the first use, since serializers import this package."""
    joined: Described = import_string(settings.API_DESCRIBED)
    return joined


@cache
def all_codes() -> Mapping[str, Code]:
    """Return every `code` that an error answer can have, by name, in the order of their statuses."""
    found = sorted((*codes.CODES, *described().codes), key=lambda code: code.status)
    return {code.name: code for code in found}
