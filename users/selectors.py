"""Reads of accounts."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import QuerySet

from users.access import VIEW_ACCOUNTS
from users.models import User


def users_visible_to(user: User) -> QuerySet[User]:
    """Return the accounts that this person may see: their own, or all for staff with the permission."""
    return User.objects.all() if VIEW_ACCOUNTS.allows(user) else User.objects.filter(pk=user.pk)


def find_users(user_ids: Collection[UUID]) -> dict[UUID, User]:
    """Return these accounts by their ids, without those that are gone."""
    return {user.pk: user for user in User.objects.filter(pk__in=user_ids)}
