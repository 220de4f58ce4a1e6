"""The search of the admin's sidebar, which unfold answers."""

from django.contrib import admin
from django.core.paginator import InvalidPage
from django.http import Http404, HttpRequest, HttpResponse


def search(request: HttpRequest) -> HttpResponse:
    """Answer it; 404 where there is no such page of what was found, which unfold lets fail."""
    try:
        return admin.site.search(request)  # type: ignore[attr-defined,no-any-return]  # unfold's site
    except (InvalidPage, ValueError) as error:
        raise Http404("There is no such page of what was found: leave `page` out") from error
