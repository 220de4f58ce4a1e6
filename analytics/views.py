"""Sales figures and reports over REST."""

import logging
from typing import cast
from uuid import UUID

from django.http import FileResponse, HttpRequest
from django.shortcuts import get_object_or_404
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics import files, reports
from analytics.access import REQUEST_REPORTS, VIEW_SALES
from analytics.models import Report
from analytics.selectors import SalesQuery, reports_of, sales
from analytics.serializers import (
    DailySalesSerializer,
    NewReportSerializer,
    ProductSalesSerializer,
    ReportSerializer,
    SalesQuerySerializer,
)
from events.errors import DependencyAway
from rest.access import only_own
from rest.byte_ranges import Part, byte_range
from rest.idempotency import answered_once
from users.models import User

logger = logging.getLogger(__name__)

MOST_FIGURES = 10_000
"""Rows of an answer: a year of every product by day could be millions."""

Status = Report.Status


class ReportNotReady(APIException):
    status_code = 409
    default_code = "report_not_ready"
    default_detail = "The report is not ready. Ask for it until its status is `ready`."


class ReportFailed(APIException):
    status_code = 409
    default_code = "report_failed"


class ReportGone(APIException):
    status_code = 410
    default_code = "report_gone"
    default_detail = "The report's file is gone: it was deleted, or its time is over. Ask for a new report."


class ReportsUnavailable(APIException):
    status_code = 503
    default_code = "reports_unavailable"
    default_detail = "The storage of the reports does not answer at the moment. Try again."
    wait = 5  # seconds until it is worth another try


class SalesView(APIView):
    """GET /analytics/sales."""

    access = {"GET": VIEW_SALES}

    def get(self, request: Request) -> Response:
        given = SalesQuerySerializer(data=request.query_params)
        given.is_valid(raise_exception=True)
        chosen = dict(given.validated_data)
        query = SalesQuery(start=chosen.pop("from"), end=chosen.pop("to"), **chosen)
        rows = list(sales(query)[: MOST_FIGURES + 1])
        if len(rows) > MOST_FIGURES:
            told = f"These are more than {MOST_FIGURES:,} figures. Ask for fewer days, a longer interval, or one sku."
            raise ValidationError({"to": [told]})
        shape = ProductSalesSerializer if query.group == "product" else DailySalesSerializer
        return Response({"results": shape(rows, many=True).data})


class ReportListView(APIView):
    """POST /reports."""

    access = {"POST": REQUEST_REPORTS}

    @answered_once("POST /reports")
    def post(self, request: Request) -> Response:
        given = NewReportSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        asked = given.validated_data
        report = reports.request_report(
            cast(User, request.user),
            kind=asked["kind"],
            start=asked["from"],
            end=asked["to"],
            file_format=asked["format"],
        )
        headers = {"Location": f"/api/v1/reports/{report.id}"}
        return Response(ReportSerializer(report).data, status=202, headers=headers)


class ReportView(APIView):
    """GET and DELETE /reports/{id}."""

    access = {"GET": only_own(REQUEST_REPORTS), "DELETE": only_own(REQUEST_REPORTS)}

    def get(self, request: Request, report_id: UUID) -> Response:
        return Response(ReportSerializer(_report(request, report_id)).data)

    def delete(self, request: Request, report_id: UUID) -> Response:
        reports.cancel(_report(request, report_id).id)
        return Response(status=204)


class DownloadView(APIView):
    """GET /reports/{id}/download."""

    access = {"GET": only_own(REQUEST_REPORTS)}

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        """Answer whatever the client accepts: there is one format, and errors are JSON."""
        return super().perform_content_negotiation(request, force=True)

    def get(self, request: Request, report_id: UUID) -> FileResponse:
        return download_of(request._request, _report(request, report_id))


def download_of(request: HttpRequest, report: Report) -> FileResponse:
    """Return the answer that sends a report's file, or the part that the request asks for.

    Raises ReportNotReady, ReportFailed, ReportGone, ReportsUnavailable and RangeNotSatisfiable.
    """
    if report.status in (Status.PENDING, Status.RUNNING):
        raise ReportNotReady
    if report.status == Status.FAILED:
        raise ReportFailed(report.error)
    if report.status != Status.READY:
        raise ReportGone
    etag = f'"{report.turn}"'  # a turn writes its file once
    size = report.size or 0
    part = byte_range(request, size=size, etag=etag)
    first, last = part or (0, size - 1)
    headers = {"Cache-Control": "no-store", "Accept-Ranges": "bytes", "ETag": etag, "Content-Length": last + 1 - first}
    if part:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    try:
        file = files.read(report.file, first)
    except FileNotFoundError as error:
        raise ReportGone from error
    except DependencyAway as error:
        logger.warning("report %s cannot be read: %s", report.id, error)
        raise ReportsUnavailable from error
    return FileResponse(
        Part(file, last + 1 - first),
        status=206 if part else 200,
        as_attachment=True,
        filename=f"{report.kind}-{report.start}-{report.end}.csv",  # in both formats
        content_type="text/csv; charset=utf-8",
        headers=headers,
    )


def _report(request: Request, report_id: UUID) -> Report:
    """Return the caller's own report. Raises PermissionDenied where they have lost the permission since."""
    user = cast(User, request.user)
    report = get_object_or_404(reports_of(user), pk=report_id)
    REQUEST_REPORTS.check(user)
    return report
