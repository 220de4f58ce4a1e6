"""How drf-spectacular describes an operation here: from its view and serializers, and the words of each app."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from django.http import HttpRequest
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.generators import EndpointEnumerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent, force_instance
from rest_framework.fields import Field

from rest.access import ANYONE, Access, access_of
from rest.openapi import parts
from rest.openapi.described import PAGING, Answer, Body, Operation, described
from rest.openapi.parts import Schema, ref
from values.money import MOST_DECIMALS


class OperationSchema(AutoSchema):
    """Describes one operation; raises KeyError for one that nobody has described."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: ComponentRegistry
    ) -> Schema:
        self.registry, self.path, self.path_regex, self.path_prefix = registry, path, path_regex, path_prefix
        self.method = method.upper()
        operation = described().operations[f"{self.method} {path}"]
        return {
            "operationId": operation.id,
            "tags": [operation.tag],
            "summary": operation.summary,
            "description": operation.description + _permissions_in_words(self._access),
            "parameters": self._parameters_of(operation),
            **({"requestBody": self._body_of(operation.body)} if operation.body else {}),
            "security": _security(self._access),
            "responses": self._responses_of(operation),
        }

    def query_parameters(self, method: str, route: str) -> Sequence[str] | None:
        """Return the query parameters of an operation, by its route as urls.py has it; None for OPTIONS."""
        operation = described().operations.get(f"{method} {_path(route)}")
        return operation.query_parameters if operation else None

    def _map_serializer(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> Schema:
        """Return a component. Answers hold all fields but those of `optional`; bodies refuse what they do not know."""
        schema: Schema = super()._map_serializer(serializer, direction, bypass_extensions)  # type: ignore[no-untyped-call]
        fields = force_instance(serializer).fields  # type: ignore[no-untyped-call]
        schema["properties"] = {name: _property(fields[name], found) for name, found in schema["properties"].items()}
        if direction == "request":
            return schema | {"additionalProperties": False}
        optional = getattr(serializer, "optional", ())
        return schema | {"required": [name for name in schema["properties"] if name not in optional]}

    @property
    def _access(self) -> Access:
        return access_of(self.view, self.method) or ANYONE  # beside the API, where views name DRF's AllowAny

    @property
    def _limited(self) -> bool:
        return self.path.startswith("/api/")

    @property
    def _answers_once(self) -> bool:
        return hasattr(getattr(self.view, self.method.lower()), "answered_once")

    def _parameters_of(self, operation: Operation) -> list[Schema]:
        in_path = re.findall(r"{(\w+)}", self.path)
        paging = PAGING if operation.answer.page else ()
        headers = (*operation.headers, *(["IdempotencyKey"] if self._answers_once else []))
        shared = [ref("parameters", name) for name in (*in_path, *headers, *paging, "RequestId")]
        if operation.query is None:
            return shared
        query = self._map_serializer(operation.query, "request")
        return [
            {
                "name": name,
                "in": "query",
                "required": name in query.get("required", []),
                "description": schema.pop("description", ""),
                "schema": schema,
            }
            for name, schema in query["properties"].items()
        ] + shared

    def _body_of(self, body: Body) -> Schema:
        examples = {name: {"value": value} for name, value in body.examples.items()}
        schema: Schema = {"type": "object", "properties": {}, "additionalProperties": False}
        if body.serializer is not None:
            schema = self.resolve_serializer(body.serializer(partial=body.partial), "request").ref
        return {
            "required": body.required and not body.partial,
            "content": {"application/json": {"schema": schema, "examples": examples}},
        }

    def _responses_of(self, operation: Operation) -> Schema:
        answer = operation.answer
        responses: Schema = {str(answer.status): self._response_of(answer)}
        if operation.not_modified:
            headers = parts.header_refs(operation.answer.headers, limited=self._limited)
            responses["304"] = {"description": "It is still what you have.", "headers": headers}
        for status, (name, problem) in parts.problem_responses(self._codes(operation), limited=self._limited).items():
            self._register("responses", name, problem)
            responses[status] = ref("responses", name)
        return responses

    def _response_of(self, answer: Answer) -> Schema:
        headers = (*answer.headers, *(["IdempotentReplayed"] if self._answers_once else []))
        response: Schema = {
            "description": answer.description,
            "headers": parts.header_refs(headers, limited=self._limited),
        }
        if answer.shape is not None:
            schema, example = self._shape_of(answer)
            response["content"] = {answer.media_type: {"schema": schema, "example": example}}
        return response

    def _shape_of(self, answer: Answer) -> tuple[Schema, Any]:
        if not isinstance(answer.shape, type):
            return dict(answer.shape or {}), answer.example
        component = self.resolve_serializer(answer.shape, "response")
        results = {"type": "array", "items": component.ref}
        if answer.many:
            listed = {"type": "object", "properties": {"results": results}, "required": ["results"]}
            return self._register("schemas", f"{component.name}List", listed), {"results": [answer.example]}
        if answer.page:
            page = {"next": None, "previous": None, "results": [answer.example]}
            return self._register("schemas", f"{component.name}Page", _page_of(results)), page
        return component.ref, answer.example

    def _codes(self, operation: Operation) -> set[str]:
        """Return what the operation may answer with: its own codes, and those that follow from its shape."""
        reasons = [
            (True, [*operation.codes, "bad_request", "internal_error"]),
            (self.view.get_authenticators(), ["authentication_failed"]),
            (self._access.signed_in, ["not_authenticated"]),
            (self._access.any_of and not self._access.own, ["permission_denied"]),
            ("{" in self.path, ["not_found"]),
            (operation.body, ["parse_error", "invalid_input", "unsupported_media_type"]),
            (operation.body, ["body_too_large", "request_timeout"]),
            (operation.query, ["invalid_input"]),
            (self._answers_once, ["idempotency_key_in_use", "idempotency_key_reused", "invalid_input"]),
            (operation.not_modified, ["precondition_failed"]),
            (operation.answer.media_type == "application/json", ["not_acceptable"]),
            (self._limited, ["throttled"]),
            (self.path != "/health/live", ["database_unavailable"]),
            (not self.path.startswith("/health/"), ["overloaded"]),
        ]
        return {code for applies, codes in reasons if applies for code in codes}

    def _register(self, kind: str, name: str, schema: Schema) -> Schema:
        component = ResolvedComponent(name, kind, schema, name)  # type: ignore[no-untyped-call]
        self.registry.register_on_missing(component)
        return ref(kind, name)


def _property(field: Field[Any, Any, Any, Any], schema: Schema) -> Schema:
    """Return a field's schema without the generator's own marks, with the bounds of `style`, its words at the end.

    `style={"openapi": {...}}` is for a bound that the field does not check itself.
    """
    kept = {key: value for key, value in schema.items() if key not in ("readOnly", "x-spec-enum-id")}
    words = {"description": kept.pop("description")} if "description" in kept else {}
    bounds: Schema = field.style.get("openapi", {})
    return kept | bounds | words


@cache
def _path(route: str) -> str:
    """Return a route of urls.py as the document has it, as in `/api/v1/things/{thing_id}`."""
    path: str = EndpointEnumerator(patterns=[]).get_path_from_regex(route)  # type: ignore[no-untyped-call]
    return path


def bare_request(method: str, path: str, view: Any, original: Any, **others: Any) -> HttpRequest:
    """Return what a view is asked with while it is described: whom it lets in may depend on the method."""
    request = HttpRequest()
    request.method, request.path = method, path
    return request


def _security(access: Access) -> list[Schema]:
    """Return who may call, in OpenAPI's terms: alternatives, each with the permissions that it requires."""
    if not access.signed_in:
        return []
    if access.own or not access.any_of:
        return [{"bearer": []}]
    return [{"bearer": list(permissions)} for permissions in access.any_of]


def _permissions_in_words(access: Access) -> str:
    """Return the paragraph that names the permissions; "" where none is needed."""
    if not access.any_of:
        return ""
    needed = " or ".join(" and ".join(f"`{name}`" for name in permissions) for permissions in access.any_of)
    if access.own:
        return f"\n\nYour own need no permission. For those of others, staff need {needed}."
    return f"\n\nStaff only. Requires {needed}."


def _page_of(results: Schema) -> Schema:
    link = {"type": ["string", "null"], "format": "uri"}
    return {
        "type": "object",
        "description": "One page of a list.",
        "properties": {
            "next": link | {"description": "The next page; null on the last."},
            "previous": link | {"description": "The page before; null on the first."},
            "results": results,
        },
        "required": ["next", "previous", "results"],
    }


class AmountSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Money that is taken: a decimal string, with at most the decimals of its currency."""

    target_class = "values.money.AmountField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Schema:
        whole = self.target.max_digits - self.target.decimal_places
        return {"type": "string", "format": "decimal", "pattern": rf"^\d{{1,{whole}}}(\.\d{{1,{MOST_DECIMALS}}})?$"}


class MoneySchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Money that is given: a decimal string, with exactly the decimals of its currency."""

    target_class = "values.money.MoneyText"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Schema:
        return {"type": "string", "format": "decimal", "pattern": rf"^\d+(\.\d{{1,{MOST_DECIMALS}}})?$"}
