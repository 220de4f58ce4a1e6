"""Whom mails are for. Who knows them is the deployment's choice: the tables, or another service (settings.PEOPLE)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol, cast
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from users.selectors import find_users


@dataclass(frozen=True)
class Person:
    """What a mail needs to know of somebody: not the name, which is text of their own choosing.

    `id` is None where they have no account: an address of the settings.
    """

    id: UUID | None
    email: str


class People(Protocol):
    def find(self, user_ids: Collection[UUID]) -> dict[UUID, Person]:
        """Return these people by their ids, without those of whom there is no account.

        Raises DependencyAway where they cannot be asked for at the moment.
        """


class LocalPeople:
    """Asks the tables, in this process."""

    def find(self, user_ids: Collection[UUID]) -> dict[UUID, Person]:
        return {user.id: Person(user.id, user.email) for user in find_users(user_ids).values()}


def people() -> People:
    return cast(People, import_string(settings.PEOPLE)())
