"""E-mail addresses: one account for one address, however it is spelt."""

import unicodedata

import idna

LONGEST = 254
"""Characters of an e-mail address: no account has more (RFC 5321, 4.5.3.1). Unicode's normal form of a whole body of
combining marks would take minutes, for which no other thread of the process runs."""


def normal(address: str) -> str:
    """Return the spelling under which new accounts are stored: in lower case, with the domain as people read it.

    So `Ada@XN--BRGER-KVA.de` and `ada@Bürger.de` are both `ada@bürger.de`. A text longer than LONGEST is only put into
    lower case.
    """
    local, domain = _parts(address)
    try:
        return local + idna.decode(idna.encode(domain, uts46=True))
    except UnicodeError:  # a domain that IDNA does not know, or no address at all
        return local + domain


def in_ascii(address: str) -> str:
    """Return the spelling for mail servers: the domain as the domain name system has it."""
    local, domain = _parts(address)
    try:
        return local + idna.encode(domain, uts46=True).decode()
    except UnicodeError:
        return local + domain


def spellings(address: str) -> list[str]:
    """Return how accounts with this address may be stored, the likeliest first.

    Earlier releases stored an address as it was typed, in lower case. There may be two accounts, each with a spelling
    of its own: whoever types theirs signs in to theirs.
    """
    if len(address) > LONGEST:
        return [address.lower()]
    usual = normal(address)
    return list(dict.fromkeys([address.lower(), usual, in_ascii(usual), unicodedata.normalize("NFD", usual)]))


def _parts(address: str) -> tuple[str, str]:
    """Return what an address is made of in lower case: all up to the @ with it, and the domain."""
    if len(address) > LONGEST:
        return address.lower(), ""
    local, at, domain = unicodedata.normalize("NFKC", address).strip().lower().rpartition("@")
    return local + at, domain
