"""The pages on the events: one to read, the document itself, and the schema of each type."""

from functools import cache

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from events.asyncapi.document import ATTRIBUTES, DESCRIPTION, document, site_name
from events.asyncapi.page import events
from events.asyncapi.schemas import schema_of, types
from rest.openapi.text import to_json
from rest.problems import not_found


@csrf_exempt  # a wrong method is 405, whoever asks
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    shown = {
        "site": site_name(),
        "events": events(),
        "paragraphs": DESCRIPTION.split("\n\n"),
        "attributes": ATTRIBUTES["properties"],
    }
    return render(request, "events/asyncapi.html", shown)


@csrf_exempt
@require_safe
def asyncapi(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_document_as_json(), content_type="application/json; charset=utf-8")


@csrf_exempt
@require_safe
def schema(request: HttpRequest, name: str) -> HttpResponse:
    """Give the schema of an event type's data; 404 for a type that there is not."""
    found = _schemas_as_json().get(name)
    if found is None:
        return not_found(request)
    return HttpResponse(found, content_type="application/schema+json")


@cache
def _document_as_json() -> str:
    return to_json(document())


@cache
def _schemas_as_json() -> dict[str, str]:
    return {kind.type: to_json(schema_of(kind)) for kind in types()}
