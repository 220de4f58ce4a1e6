"""Finds what a change of the OpenAPI document would break for a client of an older one.

A client goes on working where all that it sends is still taken, and all that it reads is still there. So what a
request may hold may only widen; what an answer holds may only grow. A wider enum in an answer is no break: clients
are told to expect words that they do not know.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

METHODS = ("get", "put", "post", "patch", "delete")
LOWEST = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
HIGHEST = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
# Not weighed: to a request any new or other one, in an answer the loss or change of one is told, and a person decides.
OPAQUE = ("allOf", "anyOf", "oneOf", "not", "pattern", "format")
WEIGHED = {"type", "properties", "required", "items", "additionalProperties", "enum", "const", *LOWEST, *HIGHEST}
WORDS = {"description", "title", "default", "example", "examples", "deprecated"}


def breaks(old: Schema, new: Schema) -> list[str]:
    """Return each break, in words that say where it is."""
    return list(_Comparison(old, new).paths())


def kept(where: str, old: tuple[Schema, Schema], new: tuple[Schema, Schema]) -> list[str]:
    """Return the breaks of what is written and read by code of both releases, as events are: each (document, schema).

    Old ones must still be taken, and readers of the old must understand the new: it may only get fields that may be
    left out. A word more in an enum is a break too, since readers validate what they are given.
    """
    (old_document, before), (new_document, after) = old, new
    comparison = _Comparison(old_document, new_document)
    return list(dict.fromkeys(comparison.kept(where, before, after)))


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old, new

    def paths(self) -> Iterator[str]:
        for path, methods in self._old["paths"].items():
            if path not in self._new["paths"]:
                yield f"{path}: the path is gone"
                continue
            for method in METHODS:
                if method in methods:
                    name = f"{method.upper()} {path}"
                    yield from self._operation(name, methods[method], self._new["paths"][path].get(method))

    def kept(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        yield from self._given(where, old, new)
        yield from self._taken(where, old, new)
        yield from self._more_values(where, old, new)

    def _more_values(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        before, after = _values(old), _values(new)
        if before is not None and (after is None or after - before):
            yield f"{where} may be {', '.join(sorted(map(str, (after or set()) - before))) or 'anything'} now"
        for field, schema in old.get("properties", {}).items():
            if field in new.get("properties", {}):
                yield from self._more_values(f"{where}/{field}", schema, new["properties"][field])
        if "items" in old and "items" in new:
            yield from self._more_values(f"{where}/*", old["items"], new["items"])

    def _operation(self, name: str, old: Schema, new: Schema | None) -> Iterator[str]:
        if new is None:
            yield f"{name}: the operation is gone"
            return
        if new.get("security") and not old.get("security"):
            yield f"{name}: it needs a token now"
        yield from self._parameters(name, old.get("parameters", []), new.get("parameters", []))
        yield from self._body(name, old.get("requestBody"), new.get("requestBody"))
        for status, response in old["responses"].items():
            if status not in new["responses"]:
                yield f"{name}: {status} is gone"
            else:
                yield from self._response(
                    f"{name}: {status}", _resolved(self._old, response), _resolved(self._new, new["responses"][status])
                )

    def _parameters(self, name: str, old: list[Schema], new: list[Schema]) -> Iterator[str]:
        before, after = _by_place(self._old, old), _by_place(self._new, new)
        for place, parameter in before.items():
            where = f"{name}: {place}"
            if place not in after:
                yield f"{where} is gone"
            else:
                yield from self._taken(where, parameter["schema"], after[place]["schema"])
        for place, parameter in after.items():
            if parameter.get("required") and not before.get(place, {}).get("required"):
                yield f"{name}: {place} is required now"

    def _body(self, name: str, old: Schema | None, new: Schema | None) -> Iterator[str]:
        if new is None:
            if old is not None:
                yield f"{name}: it takes no body any more"
            return
        if new.get("required") and not (old or {}).get("required"):
            yield f"{name}: the body is required now"
        for media_type, content in (old or {"content": {}})["content"].items():
            if media_type not in new["content"]:
                yield f"{name}: it does not take {media_type} any more"
            else:
                yield from self._taken(f"{name}: body", content["schema"], new["content"][media_type]["schema"])

    def _response(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        for header, described in old.get("headers", {}).items():
            after = new.get("headers", {}).get(header)
            if after is None:
                yield f"{where}: the header {header} is gone"
            else:
                yield from self._header(
                    f"{where}: the header {header}", _resolved(self._old, described), _resolved(self._new, after)
                )
        for media_type, content in old.get("content", {}).items():
            after = new.get("content", {}).get(media_type)
            if after is None:
                yield f"{where}: it is not {media_type} any more"
            else:
                yield from self._given(where, content["schema"], after["schema"])

    def _header(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        if old.get("required") and not new.get("required"):
            yield f"{where} may be left out now"
        yield from self._given(where, old.get("schema", {}), new.get("schema", {}))

    def _taken(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        """What is sent: it may only widen."""
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        if lost := _types(old) - _types(new):
            yield f"{where} does not take {', '.join(sorted(lost))} any more"
        yield from _narrowed_values(where, old, new)
        for key in _opaque(old, new):
            if key in new and new[key] != old.get(key):
                yield f"{where} has another {key}"
        closed = new.get("additionalProperties") is False
        if closed and old.get("additionalProperties") is not False and "properties" in new:
            yield f"{where} refuses unknown fields now"
        for field in sorted(set(new.get("required", [])) - set(old.get("required", []))):
            yield f"{where}/{field} is required now"
        for field, schema in old.get("properties", {}).items():
            if field in new.get("properties", {}):
                yield from self._taken(f"{where}/{field}", schema, new["properties"][field])
            elif closed:
                yield f"{where}/{field} is gone"
        if "items" in new:
            yield from self._taken(f"{where}/*", old.get("items", {}), new["items"])

    def _given(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        """What is answered: it may only grow."""
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        if added := _types(new) - _types(old):
            yield f"{where} may be {', '.join(sorted(added))} now"
        for key in _opaque(old, new):
            if key in old and new.get(key) != old[key]:
                yield f"{where} has another {key}"
        yield from _not_weighed(where, old, new)
        for field, schema in old.get("properties", {}).items():
            if field not in new.get("properties", {}):
                yield f"{where}/{field} is gone"
                continue
            if field in old.get("required", []) and field not in new.get("required", []):
                yield f"{where}/{field} may be left out now"
            yield from self._given(f"{where}/{field}", schema, new["properties"][field])
        if "items" in old:
            yield from self._given(f"{where}/*", old["items"], new.get("items", {}))


def _opaque(old: Schema, new: Schema) -> Sequence[str]:
    """Return OPAQUE, but no pattern of money: how many digits an amount has is what its currency says."""
    is_money = old.get("format") == new.get("format") == "decimal"
    return [key for key in OPAQUE if not (is_money and key == "pattern")]


def _not_weighed(where: str, old: Schema, new: Schema) -> Iterator[str]:
    """What no rule here knows: any change of it is told, and a person decides."""
    for key in sorted((old.keys() | new.keys()) - WEIGHED - WORDS - {*OPAQUE}):
        if old.get(key) != new.get(key):
            yield f"{where} has another {key}"


def _narrowed_values(where: str, old: Schema, new: Schema) -> Iterator[str]:
    if "default" in old and new.get("default") != old["default"]:
        yield f"{where} has another default"
    yield from _not_weighed(where, old, new)
    before, after = _values(old), _values(new)
    if after is not None:
        lost = "others" if before is None else ", ".join(sorted(map(str, before - after)))
        if lost:
            yield f"{where} takes only {', '.join(sorted(map(str, after)))} now, not {lost}"
    for key in LOWEST:
        if key in new and (key not in old or new[key] > old[key]):
            yield f"{where}: {key} is {new[key]} now"
    for key in HIGHEST:
        if key in new and (key not in old or new[key] < old[key]):
            yield f"{where}: {key} is {new[key]} now"


def _resolved(document: Schema, schema: Schema) -> Schema:
    while "$ref" in schema:
        found: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def _by_place(document: Schema, parameters: list[Schema]) -> dict[str, Schema]:
    resolved = [_resolved(document, parameter) for parameter in parameters]
    return {f"{parameter['in']} {parameter['name']}": parameter for parameter in resolved}


def _types(schema: Schema) -> set[str]:
    given = schema.get("type", ["array", "boolean", "integer", "null", "number", "object", "string"])
    types = {given} if isinstance(given, str) else set(given)
    return types | {"integer"} if "number" in types else types


def _values(schema: Schema) -> set[Any] | None:
    if "const" in schema:
        return {schema["const"]}
    return set(schema["enum"]) if "enum" in schema else None
