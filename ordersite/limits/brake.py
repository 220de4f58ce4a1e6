"""The stricter limits on sign-in and registration, by account and by address."""

import unicodedata
from dataclasses import dataclass
from typing import Self

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from ordersite.limits.addresses import client_address
from ordersite.limits.counting import Asked, Standing, count, limit, look

LONGEST = 254
"""Characters of an e-mail address: no account has more (RFC 5321, 4.5.3.1). Unicode's normal form of a whole body of
combining marks would take minutes, for which no other thread of the process runs."""


@dataclass(frozen=True)
class Attempt:
    """Somebody at an address who wants to be, or to become, this account. The account is hashed: keys are no secret."""

    address: str
    account: str

    @classmethod
    def of(cls, request: HttpRequest, email: object) -> Self:
        """Read the attempt; spellings that sign in as the same user are one account."""
        hashed = salted_hmac("ordersite.limits", _name(email), algorithm="sha256").hexdigest()[:32]
        return cls(client_address(request), hashed)

    @property
    def pair(self) -> str:
        return f"{self.account}@{self.address}"


def _name(email: object) -> str:
    given = email.strip() if isinstance(email, str) else ""
    return unicodedata.normalize("NFKC", given).strip().lower() if len(given) <= LONGEST else ""


def refuse_sign_in(attempt: Attempt) -> Standing | None:
    """Return the limit that does not let this address try this account now, None where it may.

    Only failures count, and an account's own limit refuses nobody: it makes each address slower. So a stranger who
    fails for somebody else's account never locks the owner out.
    """
    address, pair, account, slow = look(*_of_sign_in(attempt))
    if address.exceeded:
        return address
    if pair.exceeded:
        return pair
    return slow if account.exceeded and slow.exceeded else None


def sign_in_failed(attempt: Attempt) -> None:
    """Count a sign-in that failed, whether or not there is such an account."""
    count(*_of_sign_in(attempt))


def refuse_registration(attempt: Attempt) -> Standing | None:
    """Count an attempt to register; return the limit that it is one too many for, None where it may go on."""
    (address,) = count((limit("registration-address"), attempt.address))
    if address.exceeded:
        return address
    (pair,) = count((limit("registration-account"), attempt.pair))
    return pair if pair.exceeded else None


def _of_sign_in(attempt: Attempt) -> tuple[Asked, Asked, Asked, Asked]:
    return (
        (limit("sign-in-address"), attempt.address),
        (limit("sign-in-pair"), attempt.pair),
        (limit("sign-in-account"), attempt.account),
        (limit("sign-in-slow"), attempt.pair),
    )
