"""Bearer tokens."""

from typing import Any

from django.db import connection, models
from django.utils import timezone
from knox.auth import TokenAuthentication, compare_digest, hash_token
from knox.models import AuthToken
from knox.settings import CONSTANTS
from rest_framework.authentication import get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from events.sql import fetch
from users.models import User


def _columns(model: type[models.Model]) -> list[str]:
    return [str(field.column) for field in model._meta.concrete_fields]


def _fields(model: type[models.Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


# Every request asks this. The ORM takes longer to write it than PostgreSQL to answer: a fifth of what a request to
# place an order cost (docs/decisions/0017-the-hot-path.md).
_LOOK_UP = f"""
SELECT {", ".join(f't."{column}"' for column in _columns(AuthToken))},
       {", ".join(f'u."{column}"' for column in _columns(User))}
FROM {AuthToken._meta.db_table} t JOIN {User._meta.db_table} u ON u.id = t.user_id
WHERE t.token_key = %(key)s
"""


class BearerAuthentication(TokenAuthentication):  # type: ignore[misc]  # knox has no types
    """Knox's token look-up, which answers 401 to a token of any bytes and costs one query.

    Of knox's settings AUTO_REFRESH and TOKEN_MODEL have no effect here.
    """

    def authenticate(self, request: Request) -> Any:
        """Return (user, token), or None without an Authorization header of this scheme."""
        if not get_authorization_header(request).isascii() or b"\0" in get_authorization_header(request):
            raise AuthenticationFailed("Invalid token.")
        return super().authenticate(request)

    def authenticate_credentials(self, token: bytes) -> tuple[User, AuthToken]:
        """Return the user and the token's row. Raises AuthenticationFailed where there is none that is valid."""
        given = token.decode()
        split = len(_fields(AuthToken))
        for row in fetch(_LOOK_UP, {"key": given[: CONSTANTS.TOKEN_KEY_LENGTH]}):
            found = AuthToken.from_db(connection.alias, _fields(AuthToken), row[:split])
            found.user = User.from_db(connection.alias, _fields(User), row[split:])
            if not self._cleanup_token(found) and compare_digest(hash_token(given), found.digest):
                user, auth_token = self.validate_user(found)
                return user, auth_token
        raise AuthenticationFailed("Invalid token.")

    def _cleanup_token(self, auth_token: Any) -> bool:
        """Tell whether the token has expired. Deleting expired ones is the purge's work, not that of each request."""
        return auth_token.expiry is not None and auth_token.expiry < timezone.now()
