"""JSON bodies."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.utils.json import strict_constant

MAX_DEPTH = 20  # arrays and objects in each other; the deepest body of the API has 3


class StrictJSONParser(JSONParser):
    """Answers 400 to a body that is not JSON in UTF-8, is nested too deep, or gives something twice."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            text = stream.read().decode()
            parsed = json.loads(text, object_pairs_hook=_object, parse_constant=strict_constant)
        except ValueError as error:
            raise ParseError(f"JSON parse error - {error}") from error
        except RecursionError as error:  # so deep that Python gives up
            raise _too_deep() from error
        if _is_deeper(parsed, MAX_DEPTH):
            raise _too_deep()
        return parsed


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object. What is given twice could mean either (RFC 8259, 4)."""
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ParseError(f"JSON parse error - {json.dumps(twice[:50])} is given twice in one object")
    return found


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
