"""The admin's sidebar: every table in its group, for those who may see it, and the search."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.core.paginator import InvalidPage
from django.http import Http404, HttpRequest, HttpResponse
from django.templatetags.static import static
from django.urls import reverse

from analytics.access import REQUEST_REPORTS, VIEW_SALES
from events.operations import views as operations
from postgres.replica import is_configured, seconds_behind
from rest.access import Access

# Pages that are no table's, before those of their group: who may open each, its name in the URLs, what it
# is called, and its icon.
PAGES: Mapping[str, Sequence[tuple[Access, str, str, str]]] = {
    "Sales": [
        (VIEW_SALES, "sales", "Sales", "monitoring"),
        (REQUEST_REPORTS, "reports", "Reports", "download"),
    ],
}
# Group: label of the model, what its page is called, and unfold's icon (fonts.google.com/icons).
GROUPS: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "Orders": [("orders.order", "Orders", "receipt_long")],
    "Catalogue": [
        ("inventory.product", "Products", "inventory_2"),
        ("inventory.movement", "Stock movements", "swap_vert"),
        ("inventory.reservation", "Reservations", "bookmark"),
    ],
    "Customers": [("ordersite.customer", "Customers", "person")],
    "Mail": [("notifications.notification", "Mails", "mail")],
    "Sales": [
        ("analytics.dailysales", "By day", "bar_chart"),
        ("analytics.dailyproductsales", "By day and product", "bar_chart"),
    ],
    "Bus": [
        ("events.deadletter", "Dead letters", "report"),
        ("events.delivery", "Deliveries", "local_shipping"),
        ("events.event", "Events", "bolt"),
        ("events.unusablemessage", "Unusable messages", "block"),
    ],
    "System": [
        ("users.user", "Accounts", "manage_accounts"),
        ("auth.group", "Groups", "group"),
        ("knox.authtoken", "API tokens", "key"),
        ("django_celery_results.taskresult", "Task results", "task"),
        ("django_celery_results.groupresult", "Group results", "task"),
    ],
}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return what unfold shows in the sidebar for this person."""
    operations = {"title": "Operations", "icon": "monitoring", "link": reverse("admin:index")}
    groups: list[dict[str, Any]] = [{"title": "Operations", "items": [operations]}]
    for group, entries in GROUPS.items():
        items = [
            {"title": title, "icon": icon, "link": reverse(page)}
            for needed, page, title, icon in PAGES.get(group, ())
            if needed.allows(request.user)
        ]
        items += [
            {"title": title, "icon": icon, "link": reverse(f"admin:{label.replace('.', '_')}_changelist")}
            for label, title, icon in entries
            if admin.site.get_model_admin(apps.get_model(label)).has_view_permission(request)
        ]
        if items:
            groups.append({"title": group, "separator": True, "items": items})
    return groups


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the first page of the admin the operations page, and what is read for it where."""
    return {**operations.dashboard(request, context), "replica": _replica()}


def _replica() -> str:
    """Return a sentence about the read replica; "" where there is none."""
    if not is_configured():
        return ""
    behind, most = seconds_behind(), settings.REPLICA_MOST_BEHIND
    if behind <= most:
        return f"Lists and figures come from the replica: {behind:.1f} s behind, {most} s at most."
    late = "away" if behind == float("inf") else f"{behind:.0f} s behind"
    return f"Lists and figures come from the primary: the replica is {late}, and may be {most} s at most."


def search(request: HttpRequest) -> HttpResponse:
    """Answer the sidebar's search; 404 where there is no such page of what was found, which unfold lets fail."""
    try:
        return admin.site.search(request)  # type: ignore[attr-defined,no-any-return]  # unfold's site
    except (InvalidPage, ValueError) as error:
        raise Http404("There is no such page of what was found: leave `page` out") from error


def style_sheet(request: HttpRequest) -> str:
    """Return where the style sheet is that stands beside unfold's."""
    return static("adminkit/admin.css")


def script(request: HttpRequest) -> str:
    """Return where the script is that mends unfold's controls for the keyboard."""
    return static("adminkit/admin.js")


def icon(request: HttpRequest) -> str:
    return static("adminkit/icon.svg")
