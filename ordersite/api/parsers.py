"""JSON bodies."""

from collections.abc import Iterable, Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

MAX_DEPTH = 20  # arrays and objects in each other; the deepest body of the API has 3


class BoundedJSONParser(JSONParser):
    """DRF's JSON parser, which answers 400 to a body that is nested too deep."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the parsed body, or raise ParseError."""
        try:
            parsed = super().parse(stream, media_type, parser_context)
        except RecursionError as error:  # so deep that Python gives up
            raise _too_deep() from error
        if _is_deeper(parsed, MAX_DEPTH):
            raise _too_deep()
        return parsed


def _is_deeper(value: Any, depth: int) -> bool:
    """Tell whether arrays and objects are nested more than `depth` deep: level by level, without recursion."""
    level = _nested([value])
    for _ in range(depth):
        level = [inner for outer in level for inner in _nested(outer.values() if isinstance(outer, dict) else outer)]
    return bool(level)


def _nested(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]


def _too_deep() -> ParseError:
    return ParseError(f"JSON parse error - nested more than {MAX_DEPTH} deep")
