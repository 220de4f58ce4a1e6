"""Bearer tokens."""

from typing import Any

from django.utils import timezone
from knox.auth import TokenAuthentication
from rest_framework.authentication import get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request


class BearerAuthentication(TokenAuthentication):  # type: ignore[misc]  # knox has no types
    """Knox's token look-up, which answers 401 to a token of any bytes and costs one query."""

    def authenticate(self, request: Request) -> Any:
        """Return (user, token), or None without an Authorization header of this scheme."""
        if not get_authorization_header(request).isascii() or b"\0" in get_authorization_header(request):
            raise AuthenticationFailed("Invalid token.")
        return super().authenticate(request)

    def _cleanup_token(self, auth_token: Any) -> bool:
        """Tell whether the token has expired. Deleting expired ones is the purge's work, not that of each request."""
        return auth_token.expiry is not None and auth_token.expiry < timezone.now()
