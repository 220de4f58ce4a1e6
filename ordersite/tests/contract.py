"""Holds answers against the OpenAPI document."""

from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from rest.openapi.document import document

DOCUMENT = document()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def check_described(operation: str, answer: Any) -> None:
    """Check that an answer has a status, headers and a body that its operation (`GET /api/v1/...`) tells of."""
    response = resolved(OPERATIONS[operation]["responses"][str(answer.status_code)])
    for name, header in response["headers"].items():
        if resolved(header)["required"] or name in answer:
            check_fits(resolved(header)["schema"], header_value(answer, name, resolved(header)["schema"]))
    content = answer.getvalue() if answer.streaming else answer.content
    if "content" not in response:
        assert content == b""
        return
    media_type = answer["Content-Type"].partition(";")[0]
    schema = response["content"][media_type]["schema"]
    check_fits(schema, answer.json() if media_type.endswith("json") else content.decode())


def header_value(answer: Any, name: str, schema: dict[str, Any]) -> Any:
    """The value of a header, as the number that it is where it should be one."""
    return int(answer[name]) if schema["type"] == "integer" else answer[name]


def check_fits(schema: dict[str, Any], value: Any) -> None:
    """Check a value against a schema of the document, which may refer to its components."""
    whole = {"components": DOCUMENT["components"], **schema}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(value)


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference."""
    if "$ref" not in part:
        return part
    _, _, kind, name = part["$ref"].split("/")
    found: dict[str, Any] = DOCUMENT["components"][kind][name]
    return found
