"""What a person must say of the API. The rest is read from its views and its serializers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from django.conf import settings
from django.utils.module_loading import import_string
from rest_framework.serializers import Serializer

from rest import codes
from rest.codes import Code

T = TypeVar("T")
Shape = type[Serializer[Any]]
# The parameters of a list that has pages: by their names in parts.py, and in a query.
PAGING = {"Cursor": "cursor", "PageSize": "page_size"}


@dataclass(frozen=True)
class Answer:
    """The answer to a request that succeeds.

    `shape` is the serializer of its body, or a JSON schema; `many` says that the body is `{"results": [...]}`, and
    `page` that it is one page of a list. `headers` are those beyond X-Request-ID.
    """

    status: int
    description: str
    shape: Shape | Mapping[str, Any] | None = None
    example: Any = None
    many: bool = False
    page: bool = False
    headers: tuple[str, ...] = ()
    media_type: str = "application/json"


@dataclass(frozen=True)
class Body:
    """The body of a request, with its examples by name. In a partial one, every field may be left out.

    Without a serializer it has no fields.
    """

    serializer: Shape | None
    examples: Mapping[str, Any]
    partial: bool = False
    required: bool = True


NOTHING = Body(None, {"nothing": {}}, required=False)


@dataclass(frozen=True)
class Operation:
    """An operation of the API.

    `headers` are request headers, by their names in parts.py. `codes` are the error codes of its own; those that
    follow from who may call it, from its path and from its body are added (schema.py). `not_modified` says that it
    may answer 304.
    """

    id: str
    tag: str
    summary: str
    description: str
    answer: Answer
    body: Body | None = None
    query: Shape | None = None
    headers: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    not_modified: bool = False

    @property
    def query_parameters(self) -> tuple[str, ...]:
        """The names of the query parameters that it takes."""
        filters = self.query().fields if self.query else ()
        return (*filters, *(PAGING.values() if self.answer.page else ()))


@dataclass(frozen=True)
class Described:
    """A part of the API. Each app has its own in its module `openapi`; settings.API_DESCRIBED joins them.

    `operations` by method and path. `tags` say what theirs are. `ids` say what the UUIDs in paths are, by name, and
    `parameters` are what else stands in paths, as OpenAPI has it. `codes` are the errors of its own. `examples` are of
    what all operations share: of a header, of a code's `detail`, and of `errors`. `head` is how the document begins.
    """

    operations: Mapping[str, Operation]
    tags: Mapping[str, str] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    codes: tuple[Code, ...] = ()
    examples: Mapping[str, Any] = field(default_factory=dict)
    head: Mapping[str, Any] = field(default_factory=dict)

    def __or__(self, other: "Described") -> "Described":
        """Return both parts. Raises ValueError for what both describe."""
        return Described(
            _union(self.operations, other.operations),
            _union(self.tags, other.tags),
            _union(self.ids, other.ids),
            _union(self.parameters, other.parameters),
            (*self.codes, *other.codes),
            _union(self.examples, other.examples),
            _union(self.head, other.head),
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
