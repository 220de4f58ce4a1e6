"""A list of the admin as a CSV file for a spreadsheet, as it is filtered, searched and ordered."""

import csv
from collections.abc import Iterator, Sequence
from typing import Any, Generic, cast

from django.contrib import messages
from django.contrib.admin.utils import lookup_field
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.timezone import now

from adminkit.lists import DeclaredList
from adminkit.pages import M, Page
from values.csv_text import EXCEL, harmless, mark

MOST = 50_000  # rows of a file: their ids are held in memory, and a spreadsheet is no place for more
CHUNK = 1_000  # rows read at once


class Exported(Page[M], Generic[M]):
    """A list with links that export it, for programs or for Excel. `export_fields` are named as in `list_display`."""

    change_list_template = "admin/exported_list.html"
    export_fields: Sequence[str] = ()

    def get_urls(self) -> list[URLPattern]:
        """Add the file, in each format."""
        name, export = f"{self.opts.app_label}_{self.opts.model_name}_export", self.admin_site.admin_view(self.export)
        return [
            path("export.csv", export, {"file_format": "csv"}, name=name),
            path("export-excel.csv", export, {"file_format": EXCEL}, name=f"{name}_excel"),
            *super().get_urls(),
        ]

    def export(self, request: HttpRequest, file_format: str) -> HttpResponseBase:
        """Send the file, or lead back to the list where it would be too long."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        changelist = cast(DeclaredList, self.get_changelist_instance(request))
        if changelist.problems:
            return self._back(request)  # where the list says what is wrong
        rows = changelist.queryset
        # The ids of one moment; then rows by the key, in chunks, so that no statement and no cursor stays open.
        ids = list(rows.values_list("pk", flat=True)[: MOST + 1])
        if len(ids) > MOST:
            told = f"These are more than {MOST:,} rows. Narrow the filter, then export again."
            self.message_user(request, told, messages.ERROR)
            return self._back(request)
        name = f"{self.opts.verbose_name_plural}-{now():%Y-%m-%d}.csv".replace(" ", "-")
        return StreamingHttpResponse(
            self._text(request, ids, mark(file_format)),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def _back(self, request: HttpRequest) -> HttpResponse:
        """Lead back to the list as it is filtered."""
        url = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        return redirect(f"{url}?{request.GET.urlencode()}" if request.GET else url)

    def _text(self, request: HttpRequest, ids: Sequence[Any], beginning: str) -> Iterator[str]:
        """Yield the file, the lines of a chunk at once."""
        line = csv.writer(_Line()).writerow
        joined = self.list_select_related if isinstance(self.list_select_related, list) else ()
        yield beginning + line(self.export_fields)
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            found = self.get_queryset(request).select_related(*joined).in_bulk(chunk)
            rows = [found[pk] for pk in chunk if pk in found]
            yield "".join(
                line([harmless(lookup_field(name, row, self)[2]) for name in self.export_fields]) for row in rows
            )


class _Line:
    """Takes what csv writes, and hands it on."""

    def write(self, line: str) -> str:
        return line
