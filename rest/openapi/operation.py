"""What a person must say of an operation. The rest is read from its view and its serializers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rest_framework.serializers import Serializer

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
