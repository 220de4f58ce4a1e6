"""Reads of accounts."""

from uuid import UUID

from django.db.models import QuerySet

from users.models import User


def users_visible_to(user: User) -> QuerySet[User]:
    """Return the accounts that this person may see: their own, or all for staff."""
    return User.objects.all() if user.is_staff else User.objects.filter(pk=user.pk)


def find_user(user_id: UUID) -> User | None:
    """Return an account, None where it is gone."""
    return User.objects.filter(pk=user_id).first()
