"""The sales page of the admin, and the figures that it asks for."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe
from rest_framework import serializers

from analytics.access import VIEW_SALES
from analytics.sales_figures import figures
from analytics.selectors import INTERVALS
from analytics.serializers import PeriodSerializer
from rest.strict import Query

SHOWN = timedelta(days=29)  # before today, unless another period is chosen

# Each chart: its name in the figures, its title, its unit ("" for the currency), and how it is drawn.
CHARTS = [
    ("revenue", "Revenue: what orders come to, by what they reached", "", "line"),
    ("orders", "Orders by what they reached", "orders", "line"),
    ("products", "Top products: what they come to in confirmed orders", "", "bar"),
    ("rejections", "Rejected orders", "orders", "line"),
    ("short", "Products of rejected orders", "pieces", "bar"),
]


class ChosenSerializer(Query, PeriodSerializer):
    """What the page may ask for."""

    interval = serializers.ChoiceField(choices=INTERVALS, default="day")
    currency = serializers.CharField(max_length=3, required=False)


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show the page, which asks for its figures itself."""
    VIEW_SALES.check(request.user)
    today = datetime.now(UTC).date()
    context = {
        **admin.site.each_context(request),
        "title": "Sales",
        "charts": CHARTS,
        "intervals": INTERVALS,
        "start": today - SHOWN,
        "end": today,
    }
    return TemplateResponse(request, "analytics/sales.html", context)


@require_safe
def data(request: HttpRequest) -> JsonResponse:
    """Return the figures of ?from=&to=, by ?interval=, in ?currency=."""
    VIEW_SALES.check(request.user)
    given = ChosenSerializer(data=request.GET)
    if not given.is_valid():
        return JsonResponse({"detail": error_text(given.errors)}, status=400)
    chosen = given.validated_data
    return JsonResponse(figures(chosen["from"], chosen["to"], chosen["interval"], chosen.get("currency")))


def error_text(errors: Any) -> str:
    """Return what is wrong with an input, in a line: the first of each field, by its name."""
    return " ".join(f"{name}: {messages[0]}" for name, messages in errors.items())


def urls() -> list[URLPattern]:
    site = admin.site.admin_view
    return [
        path("admin/sales/", site(page), name="sales"),
        path("admin/sales/data", site(data), name="sales-data"),
    ]
