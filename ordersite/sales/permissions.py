"""What a member of staff needs to be given to see a page: all of it."""

from collections.abc import Sequence

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

SALES = ["analytics.view_dailysales", "analytics.view_dailyproductsales"]
REPORTS = ["analytics.request_report"]


def check(request: HttpRequest, needed: Sequence[str]) -> None:
    """Raise PermissionDenied where the person lacks any of it."""
    if not request.user.has_perms(needed):
        raise PermissionDenied
