"""The operations page: the first page of the admin, and the data that it asks for while it is open."""

from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_safe

from events.conf import setting
from events.operations.figures import SPANS, figures
from events.operations.processes import processes
from events.subscriptions import the_map

SEES = "events.view_delivery"  # the permission that shows the page

# Each chart: its name in the figures, its title, its unit, and what of its lines is told in words.
CHARTS = [
    ("handled", "Deliveries handled, by consumer", "deliveries", "sum"),
    ("durations", "How long handlers ran", "ms", "highest"),
    ("backlog", "Backlog: deliveries that are due", "deliveries", "highest"),
    ("oldest", "How long the oldest has been due", "s", "highest"),
    ("trouble", "What went wrong", "times", "sum"),
]


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the first page of the admin what the operations page needs (UNFOLD["DASHBOARD_CALLBACK"])."""
    counted = the_map().milestones
    charts = CHARTS if not counted.types else [(counted.name, counted.title, counted.unit, "sum"), *CHARTS]
    return {**context, "charts": charts, "flower_url": setting("FLOWER_URL")}


@require_safe
def data(request: HttpRequest) -> JsonResponse:
    """Return the figures of ?last=hour, day or week."""
    _check(request)
    last = request.GET.get("last", "hour")
    if last not in SPANS:
        return JsonResponse({"detail": f"last is one of {', '.join(SPANS)}."}, status=400)
    found = asdict(figures(last))
    letters = reverse("admin:events_deadletter_changelist")
    found["queues"] = [
        {"name": name, **state, "letters": f"{letters}?{urlencode({'consumer': name})}"}
        for name, state in found["queues"].items()
    ]
    return JsonResponse(found)


@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Return which processes are at work. Takes a second or two: the workers are asked."""
    _check(request)
    return JsonResponse({"processes": [asdict(process) for process in processes()]})


def urls() -> list[URLPattern]:
    site = admin.site.admin_view
    return [
        path("admin/operations/data", site(data), name="operations-data"),
        path("admin/operations/health", site(health), name="operations-health"),
    ]


def _check(request: HttpRequest) -> None:
    if not request.user.has_perm(SEES):
        raise PermissionDenied
