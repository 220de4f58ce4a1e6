"""The stricter limits on sign-in and registration, by account and by address."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from rest.limits.addresses import client_address, client_network
from rest.limits.counting import Asked, Standing, by_place, count, limit, look
from values.emails import LONGEST, normal

SALT = "ordersite.limits"  # with another, what was counted so far would count no more


@dataclass(frozen=True)
class Attempt:
    """Somebody at an address who wants to be, or to become, this account. The account is hashed: keys are no secret."""

    address: str
    network: str | None
    account: str

    @classmethod
    def of(cls, request: HttpRequest, email: object) -> Self:
        """Read the attempt; spellings that sign in as the same user are one account."""
        hashed = salted_hmac(SALT, _name(email), algorithm="sha256").hexdigest()[:32]
        return cls(client_address(request), client_network(request), hashed)

    @property
    def pair(self) -> str:
        return f"{self.account}@{self.address}"

    def where(self, kind: str) -> list[Asked]:
        """Return the limits of this kind by address, and by the network around it."""
        return by_place(f"{kind}-", self.address, self.network)


def _name(email: object) -> str:
    given = email.strip() if isinstance(email, str) else ""
    return normal(given) if len(given) <= LONGEST else ""


def refuse_sign_in(attempt: Attempt) -> Standing | None:
    """Return the limit that does not let this address try this account now, None where it may.

    Only failures count, and an account's own limit refuses nobody: it makes each address slower. So a stranger who
    fails for somebody else's account never locks the owner out.
    """
    *places, pair, account, slow = look(*_sign_in_limits(attempt))
    if refused := _exceeded([*places, pair]):
        return refused
    return slow if account.exceeded and slow.exceeded else None


def sign_in_failed(attempt: Attempt) -> None:
    """Count a sign-in that failed, whether or not there is such an account."""
    count(*_sign_in_limits(attempt))


def refuse_registration(attempt: Attempt) -> Standing | None:
    """Count an attempt to register; return the limit that it is one too many for, None where it may go on."""
    pair: Asked = (limit("registration-account"), attempt.pair)
    everybody: Asked = (limit("registration-all"), "all")
    for asked in (attempt.where("registration"), [pair], [everybody]):  # who is refused uses up nobody else's
        if refused := _exceeded(count(*asked)):
            return refused
    return None


def _exceeded(standings: Iterable[Standing]) -> Standing | None:
    return next((standing for standing in standings if standing.exceeded), None)


def _sign_in_limits(attempt: Attempt) -> tuple[Asked, ...]:
    return (
        *attempt.where("sign-in"),
        (limit("sign-in-pair"), attempt.pair),
        (limit("sign-in-account"), attempt.account),
        (limit("sign-in-slow"), attempt.pair),
    )
