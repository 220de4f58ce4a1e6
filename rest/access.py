"""Who may use an operation of the REST API. Each view declares it, by method; what staff need is what the admin's page
for the same act asks for.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

if TYPE_CHECKING:  # DRF's views look up this module's class for their default
    from rest_framework.views import APIView


@dataclass(frozen=True)
class Access:
    """Who may use an operation.

    `any_of` holds sets of permissions such as `things.view_thing`: staff need all permissions of one set. With `own`,
    everybody who is signed in may use the operation on what is their own, and staff need the permissions for the rest.
    With `only_own`, staff need the permissions for what is their own, and nobody may use it on the rest. With either,
    what is not theirs is 404, as if it did not exist: the view looks for it first.
    """

    any_of: tuple[tuple[str, ...], ...] = ()
    own: bool = False
    only_own: bool = False
    signed_in: bool = True

    def __or__(self, other: "Access") -> "Access":
        """Return the access of those who have the permissions of one or of the other."""
        return replace(self, any_of=self.any_of + other.any_of)

    def allows(self, user: Any) -> bool:
        """Return whether the user is staff and has the permissions. A superuser has all of them."""
        return bool(user.is_staff) and any(user.has_perms(permissions) for permissions in self.any_of)

    def check(self, user: Any) -> None:
        """Raise PermissionDenied unless the user is staff and has the permissions."""
        if not self.allows(user):
            raise PermissionDenied

    def opens_to(self, user: Any) -> bool:
        """Return whether the user gets as far as the view; with `own` and `only_own`, the view decides the rest."""
        if not self.signed_in:
            return True
        return bool(user.is_authenticated) and (self.own or self.only_own or not self.any_of or self.allows(user))


ANYONE = Access(signed_in=False)
SIGNED_IN = Access()


def needs(*permissions: str) -> Access:
    """Return the access of staff who have all of these permissions."""
    return Access(any_of=(permissions,))


def viewing(app: str, model: str) -> Access:
    """Return the access of staff who may open the admin's page of a model: who may change it may view it."""
    return needs(f"{app}.view_{model}") | needs(f"{app}.change_{model}")


def own_or(access: Access) -> Access:
    """Return the access of everybody to their own things, and of staff with these permissions to all."""
    return replace(access, own=True)


def only_own(access: Access) -> Access:
    """Return the access of staff with these permissions to their own things alone."""
    return replace(access, only_own=True)


class DeclaredAccess(BasePermission):
    """Lets in those whom the view's `access` names for the method; nobody, where it names none (DRF's default here)."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        access = access_of(view, str(request.method))
        return access is not None and access.opens_to(request.user)


def access_of(view: "APIView", method: str) -> Access | None:
    """Return who may use an operation of a view; None where the view does not say."""
    declared: dict[str, Access] = getattr(view, "access", {})
    if method == "OPTIONS":  # tells the methods
        return ANYONE if ANYONE in declared.values() else SIGNED_IN
    return declared.get("GET" if method == "HEAD" else method)
