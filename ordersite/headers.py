"""Headers that tell a browser what our answers may do; Django's own middleware sets the others."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from telemetry.request_id import GetResponse

# Pages load from here alone. Scripts and style sheets are files. The attribute `style` is let in, since the admin shows
# mails as they are sent, and mail programs know no style sheets; it can run nothing.
PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# The admin is unfold's (docs/decisions/0019-admin-on-unfold.md): its Alpine makes functions of the attributes of its
# pages, and its theme is a <style> in each. Scripts are still files of ours alone.
ADMIN = PAGE.replace("script-src 'self'", "script-src 'self' 'unsafe-eval'").replace(
    "style-src 'self'", "style-src 'self' 'unsafe-inline'"
)
DATA = "default-src 'none'; frame-ancestors 'none'"
PERMISSIONS = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"


class HeadersMiddleware:
    """Adds Content-Security-Policy, of a page or of data, and Permissions-Policy to every answer; a view's own wins."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if settings.DEBUG and response.status_code >= 400:
            return response  # Django's own page, with scripts and styles in it
        policy = DATA
        if response.get("Content-Type", "").startswith("text/html"):
            policy = ADMIN if request.path.startswith("/admin/") else PAGE
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        return response
