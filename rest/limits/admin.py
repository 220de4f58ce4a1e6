"""The admin's sign-in page behind the brake of the API's."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from rest.limits import brake
from rest.limits.answers import note, too_many


def sign_in_page(request: HttpRequest) -> HttpResponse:
    """Show the page, or sign in; 429 where too many sign-ins have failed."""
    if request.method != "POST":
        return admin.site.login(request)
    attempt = brake.Attempt.of(request, request.POST.get("username"))
    if refused := brake.refuse_sign_in(attempt):
        note(request, refused)
        return too_many(refused)
    response = admin.site.login(request)
    if response.status_code != 302:  # the page again, with what is wrong
        brake.sign_in_failed(attempt)
    return response
