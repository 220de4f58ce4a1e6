"""The admin's sign-in page behind the same limits as the API's."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from rest.limits import sign_in
from rest.limits.answers import note, too_many


def sign_in_page(request: HttpRequest) -> HttpResponse:
    """Show the page, or sign in; 429 where too many sign-ins have failed."""
    if request.method != "POST":
        return admin.site.login(request)
    attempt = sign_in.Attempt.of(request, request.POST.get("username"))
    if refused := sign_in.refuse_sign_in(attempt):
        note(request, refused)
        return too_many(refused)
    response = admin.site.login(request)
    if response.status_code != 302:  # the page again, with what is wrong
        sign_in.sign_in_failed(attempt)
    return response
