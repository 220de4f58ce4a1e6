"""The operations on figures and reports."""

from analytics.serializers import (
    NewReportSerializer,
    ProductSalesSerializer,
    ReportSerializer,
    SalesQuerySerializer,
)
from rest.codes import Code
from rest.openapi.described import Answer, Body, Described, Operation

REPORT_ID = "0193b1c5-02b7-7c10-9d2a-3b4c5d6e7f80"
ASKED = {
    "id": REPORT_ID,
    "kind": "sales",
    "from": "2026-01-01",
    "to": "2026-01-31",
    "format": "csv",
    "status": "pending",
    "progress": 0,
    "error": "",
    "as_of": None,
    "rows": None,
    "size": None,
    "download_url": None,
    "created_at": "2026-02-01T08:00:00.123456Z",
    "finished_at": None,
    "expires_at": None,
}
READY = ASKED | {
    "status": "ready",
    "progress": 100,
    "as_of": "2026-02-01T08:00:00.234567Z",
    "rows": 1240,
    "size": 98304,
    "download_url": f"/api/v1/reports/{REPORT_ID}/download",
    "finished_at": "2026-02-01T08:00:03.123456Z",
    "expires_at": "2026-02-08T08:00:03.123456Z",
}
FILE = "day,sku,currency,orders,pieces,amount\r\n2026-01-05,CUP-PORCELAIN,EUR,12,14,133.00\r\n"

OPERATIONS = {
    "GET /api/v1/analytics/sales": Operation(
        id="getSales",
        tag="analytics",
        summary="Show sales by day, week or month",
        description="Shows, for each interval, currency and status, how many orders reached that status and what they"
        " come to; with `group=product`, the same of each product, with its pieces. At most 366 days and 10,000 figures"
        " at once.",
        query=SalesQuerySerializer,
        answer=Answer(
            200,
            "The figures, in order.",
            ProductSalesSerializer,
            {"day": "2026-01-05", "status": "confirmed", "currency": "EUR", "orders": 12, "amount": "1200.50"},
            many=True,
        ),
    ),
    "POST /api/v1/reports": Operation(
        id="requestReport",
        tag="reports",
        summary="Ask for a report",
        description="Has a report made in the background, and answers at once. Read it under `Location` until its"
        " `status` is `ready`, then download it. `sales`: a line for each day of placing and product; `orders`: one for"
        " each order; `stock`: one for each movement. At most 366 days at once. `csv-excel` is `csv` with a byte order"
        " mark in front, without which Excel does not read it as UTF-8.",
        body=Body(
            NewReportSerializer,
            {"sales of a month": {"kind": "sales", "from": "2026-01-01", "to": "2026-01-31", "format": "csv"}},
        ),
        answer=Answer(202, "The report, which waits.", ReportSerializer, ASKED, headers=("Location",)),
        codes=("too_many_reports",),
    ),
    "GET /api/v1/reports/{report_id}": Operation(
        id="getReport",
        tag="reports",
        summary="Show a report",
        description="Shows your own report, and how far it is. Another's is 404, as one that does not exist is.",
        answer=Answer(200, "The report.", ReportSerializer, READY),
    ),
    "GET /api/v1/reports/{report_id}/download": Operation(
        id="downloadReport",
        tag="reports",
        summary="Download a report",
        description="Sends the file of your own report: CSV (RFC 4180) in UTF-8, the names of its columns first, after"
        " a byte order mark for `csv-excel`. A text that a spreadsheet would take for a formula has an apostrophe in"
        " front. A download that was cut off continues with `Range` and, in `If-Range`, the first answer's `ETag`: 206"
        " with the rest of the file.",
        answer=Answer(200, "The file.", {"type": "string"}, FILE, headers=("NoStore",), media_type="text/csv"),
        codes=(
            "report_not_ready",
            "report_failed",
            "report_gone",
            "reports_unavailable",
            "range_not_satisfiable",
        ),
    ),
    "DELETE /api/v1/reports/{report_id}": Operation(
        id="deleteReport",
        tag="reports",
        summary="Cancel or delete a report",
        description="Stops your own report where it waits or is being built, and removes its file. Doing it again does"
        " no harm.",
        answer=Answer(204, "It is cancelled, and has no file."),
    ),
}

CODES = (
    Code(
        "report_not_ready",
        409,
        "The report waits, or is being built: there is no file yet.",
        "Read the report until its `status` is `ready`, then download it.",
        "The report is not ready. Ask for it until its status is `ready`.",
    ),
    Code(
        "report_failed",
        409,
        "The report could not be made. `detail` says why.",
        "Ask for another report, once what `detail` says is mended.",
        "It takes longer than a report may. Ask for a shorter period.",
    ),
    Code(
        "report_gone",
        410,
        "The report's file is gone: the report was deleted, or its time is over.",
        "Ask for a new report.",
        "The report's file is gone: it was deleted, or its time is over. Ask for a new report.",
    ),
    Code(
        "reports_unavailable",
        503,
        "The storage of the reports' files does not answer at the moment.",
        "Wait for the seconds in Retry-After, then send it again.",
        "The storage of the reports does not answer at the moment. Try again.",
    ),
    Code(
        "too_many_reports",
        429,
        "You have as many reports under way as one person may have.",
        "Wait until one of them is ready, or delete one, then ask again.",
        "You have 3 reports under way, and may have no more. Wait for one, or cancel one.",
    ),
)
DESCRIBED = Described(
    OPERATIONS,
    tags={
        "analytics": "Figures, for staff. They follow the orders within seconds.",
        "reports": "Files that are made in the background, for staff.",
    },
    ids={"report_id": "The report's id."},
    codes=CODES,
)
