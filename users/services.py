"""Writes of accounts and their tokens."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth import authenticate
from django.db import IntegrityError, transaction
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.exceptions import AuthenticationFailed, ValidationError

from events.publishing import publish
from events.purge import purge_rows
from eventtypes.users import UserCreatedV1
from users.models import User


@dataclass(frozen=True)
class IssuedToken:
    """A new bearer token. Only its hash is stored; this is the one time that it can be read."""

    token: str
    expires_at: datetime


def register(*, email: str, password: str, full_name: str = "") -> User:
    """Make an account and publish user.created. Raises ValidationError where the address is taken."""
    if User.objects.with_address(email).exists():  # in a spelling of before, which no constraint sees
        raise address_taken()
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password, full_name=full_name)
            publish(UserCreatedV1(user_id=user.id))
    except IntegrityError as error:
        raise address_taken() from error
    user.refresh_from_db(fields=["created_at"])
    return user


def address_taken() -> ValidationError:
    return ValidationError({"email": ["An account with this e-mail address exists."]}, code="taken")


def rename(user: User, *, full_name: str) -> User:
    """Change a user's name, and nothing that somebody else may be changing."""
    user.full_name = full_name
    user.save(update_fields=["full_name"])
    return user


def sign_in(*, email: str, password: str) -> IssuedToken:
    """Issue a token.

    Raises AuthenticationFailed, in the same words and time whatever is wrong (users/backends.py), and PasswordsBusy.
    """
    user = authenticate(username=email, password=password)
    if not isinstance(user, User):
        raise AuthenticationFailed("The e-mail address or the password is wrong.", code="wrong_credentials")
    record, token = AuthToken.objects.create(user=user)
    return IssuedToken(token, record.expiry)


def sign_out_everywhere(user: User) -> None:
    AuthToken.objects.filter(user=user).delete()


def purge_expired_tokens() -> int:
    """Delete tokens that have expired; return how many."""
    return purge_rows(AuthToken.objects.filter(expiry__lt=timezone.now()))
