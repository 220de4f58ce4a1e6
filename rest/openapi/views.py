"""The pages on the API: the document, a page to try it on, and one on each kind of error."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from rest.openapi.described import all_codes
from rest.openapi.document import document
from rest.openapi.text import to_json, to_yaml
from rest.problems import not_found


class _JSONText(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> str:
        return schema_as_json()


class _YAMLText(_JSONText):
    media_type = "application/yaml"
    format = "yaml"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> str:
        return schema_as_yaml()


@cache
def schema_as_json() -> str:
    """Return the document of this code as JSON; made once in the life of a process."""
    return to_json(document())


@cache
def schema_as_yaml() -> str:
    return to_yaml(document())


class SchemaView(APIView):
    """GET /api/schema: as JSON, or as YAML where the client accepts that rather."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    renderer_classes = (_JSONText, _YAMLText)

    def get(self, request: Request) -> Response:
        return Response({})


@csrf_exempt  # a wrong method is 405, whoever asks
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Show the page to read the document and try it. The template is the site's: it names operations to begin with."""
    return render(request, "rest/docs.html")


@csrf_exempt
@require_safe
def problem_list(request: HttpRequest) -> HttpResponse:
    return render(request, "rest/problems.html", {"codes": all_codes().values(), "title": "Errors"})


@csrf_exempt
@require_safe
def problem_page(request: HttpRequest, code: str) -> HttpResponse:
    """Show what a code means and what to do; 404 for one that no error has."""
    if code not in all_codes():
        return not_found(request)
    return render(request, "rest/problems.html", {"codes": [all_codes()[code]], "title": code})
