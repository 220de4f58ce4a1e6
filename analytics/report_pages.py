"""The reports page of the admin: one's own reports, asked for, watched, downloaded and removed."""

from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST, require_safe
from rest_framework.exceptions import APIException

from analytics import reports
from analytics.access import REQUEST_REPORTS
from analytics.models import Report
from analytics.sales_pages import error_text
from analytics.selectors import reports_of
from analytics.serializers import NewReportSerializer, ReportSerializer
from analytics.sources import sources
from analytics.views import download_of
from users.models import User
from values.csv_text import FORMATS

MOST = 50  # reports that are listed, the newest


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show the page, which asks for the list itself."""
    REQUEST_REPORTS.check(request.user)
    context = {
        **admin.site.each_context(request),
        "title": "Reports",
        "kinds": list(sources()),
        "formats": FORMATS,
        "most": MOST,
    }
    return TemplateResponse(request, "analytics/reports.html", context)


@require_safe
def data(request: HttpRequest) -> JsonResponse:
    REQUEST_REPORTS.check(request.user)
    return JsonResponse({"reports": [_as_json(report) for report in reports_of(_person(request))[:MOST]]})


@require_POST
def ask(request: HttpRequest) -> JsonResponse:
    """Ask for a report of a `kind`, `from` a day `to` a day, in a `format`."""
    REQUEST_REPORTS.check(request.user)
    wanted = {name: request.POST[name] for name in ("kind", "from", "to", "format") if name in request.POST}
    given = NewReportSerializer(data=wanted)
    if not given.is_valid():
        return JsonResponse({"detail": error_text(given.errors)}, status=400)
    asked = given.validated_data
    try:
        report = reports.request_report(
            _person(request), kind=asked["kind"], start=asked["from"], end=asked["to"], file_format=asked["format"]
        )
    except APIException as error:
        return JsonResponse({"detail": str(error.detail)}, status=error.status_code)
    return JsonResponse(_as_json(report), status=201)


@require_POST
def remove(request: HttpRequest, report_id: UUID) -> JsonResponse:
    """Cancel a report, whatever its state, and remove its file; return it."""
    REQUEST_REPORTS.check(request.user)
    reports.cancel(_mine(request, report_id).id)
    return JsonResponse(_as_json(_mine(request, report_id)))


@require_safe
def download(request: HttpRequest, report_id: UUID) -> HttpResponseBase:
    """Send the file, or lead back to the page and say why there is none."""
    REQUEST_REPORTS.check(request.user)
    try:
        return download_of(request, _mine(request, report_id))
    except APIException as error:
        messages.error(request, str(error.detail))
        return redirect("reports")


def urls() -> list[URLPattern]:
    site = admin.site.admin_view
    return [
        path("admin/reports/", site(page), name="reports"),
        path("admin/reports/data", site(data), name="reports-data"),
        path("admin/reports/ask", site(ask), name="reports-ask"),
        path("admin/reports/<uuid:report_id>/remove", site(remove), name="reports-remove"),
        path("admin/reports/<uuid:report_id>/download", site(download), name="reports-download"),
    ]


def _as_json(report: Report) -> dict[str, Any]:
    """Return a report as the API does, with where the page's buttons lead."""
    at = {name: reverse(f"reports-{name}", args=[report.id]) for name in ("download", "remove")}
    return {**ReportSerializer(report).data, **at}


def _mine(request: HttpRequest, report_id: UUID) -> Report:
    return get_object_or_404(reports_of(_person(request)), pk=report_id)


def _person(request: HttpRequest) -> User:
    return cast(User, request.user)
