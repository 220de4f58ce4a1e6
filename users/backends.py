"""Signing in with a password."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from users.hashers import COST, EARLIER, NOBODY, spend
from users.models import User

LOOKED = 3_600
"""Seconds between two looks whether passwords are left that were stored at the earlier cost: a look reads the table."""


class PasswordBackend(ModelBackend):
    """Takes the same time for a wrong password, an unknown address, and an account that may not sign in.

    A failure costs one hash of each cost that is in use: checking the password takes one, and the other follows.
    Where Django stops after the one, the time would tell accounts that were made before the cost changed.
    """

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """Return who signs in. Raises PermissionDenied, which keeps Django from asking its next back end."""
        if username is None or password is None:
            return None
        user = self._find(username) or User(password=NOBODY)
        if user.check_password(password):
            return user
        if earlier_passwords_left():
            spend(password, COST if user.password.startswith(EARLIER.prefix) else EARLIER)
        raise PermissionDenied

    def _find(self, username: str) -> User | None:
        """Return the account, if it may sign in."""
        try:
            user = User.objects.get_by_natural_key(username)
        except User.DoesNotExist:
            return None
        return user if self.user_can_authenticate(user) else None


def earlier_passwords_left() -> bool:
    """Tell whether any account's password is stored at the earlier cost, as of the last look of this process."""
    earlier = User.objects.filter(password__startswith=EARLIER.prefix)
    return bool(cache.get_or_set("users.earlier_passwords_left", earlier.exists, LOOKED))
