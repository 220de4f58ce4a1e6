"""Hides what may stand in no row and no line of a log: secrets; and, in logs, the e-mail addresses of people too."""

import re
from functools import cache
from urllib.parse import quote, unquote

from django.conf import settings

from events.conf import setting

HIDDEN = "[hidden]"

_SHORTEST_SECRET = 6  # a shorter value would hide ordinary words
# What looks like a secret wherever it comes from: the password of a URL, a bearer token, a value under a telling name.
# An HTTP status is no secret: "POST /api/v1/auth/token: 401 after 12 ms".
_SECRETS = [
    (re.compile(r"(?<=://)([^\s/@:]*):[^\s/]+@"), rf"\1:{HIDDEN}@"),
    (re.compile(r"(?i)\b(bearer|basic|token)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    (
        re.compile(
            r"""(?ix) ((?:password|passwd|secret|api[_-]?key|token|authorization)[\w-]{0,40}) (\\?["']?\s*[:=]\s*)
            (?: "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*'
            | (?! \[hidden\] | None\b | (?<=\w:[ ])[1-5]\d\d(?![^\s,;)]) )[^\s,;)}\]&]+ )"""
        ),
        rf"\1\2{HIDDEN}",
    ),
]
# What is before the @ is looked for at the beginning of a word only, so that a long one is not read again and again.
_ADDRESS = re.compile(
    r"""(?x) (?<![^\s<>()\[\],;:={}/"'@]) [^\s<>()\[\],;:={}/"'@]{1,320} "? (?:@|%40)
    (?: localhost\b | (?:[\w-]{1,63}\.)+ [^\W\d_]{2,63} )"""
)
# The rarer forms, with brackets and the like in them; it takes along more of what stands around.
_ODD_ADDRESS = re.compile(
    r"""(?x) (?<![^\s<>"']) [^\s<>"'@]{1,320} "? (?:@|%40)
    (?: \[[^\s\]]{1,64}\] | localhost\b | (?:[\w-]{1,63}\.)+ [^\W\d_]{2,63} )"""
)
# One of these stands in whatever one of the above finds.
_HINTS = (
    *("://", "bearer", "basic", "token", "passw", "secret", "apikey", "api_key", "api-key", "authorization"),
    *("@", "%40"),
)


def hide_secrets(text: str) -> str:
    """Return the text with the deployment's own secrets, and whatever looks like one, hidden."""
    for secret in _own_secrets():
        text = text.replace(secret, HIDDEN)
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def hide_private(text: str) -> str:
    """Return the text as hide_secrets() does, and with e-mail addresses hidden: errors of mail servers hold them."""
    return _ODD_ADDRESS.sub(HIDDEN, _ADDRESS.sub(HIDDEN, hide_secrets(text)))


def may_be_private(text: str) -> bool:
    """Tell whether hide_private() may find anything. Of a line of a log it mostly cannot, and this is much faster."""
    folded = text.casefold()
    return any(hint in folded for hint in _HINTS) or any(secret in text for secret in _own_secrets())


def _own_secrets() -> tuple[str, ...]:
    """Return the secrets that the settings hold; none before these are loaded, as in a server's main process."""
    return _secrets_of_settings() if settings.configured else ()


@cache
def _secrets_of_settings() -> tuple[str, ...]:
    """Return the settings' secrets, as they are and as URLs write them, the longest first."""
    databases = [database.get("PASSWORD") for database in settings.DATABASES.values()]
    given = [settings.SECRET_KEY, settings.EMAIL_HOST_PASSWORD, *databases, *setting("SECRETS")]
    found = [str(value) for value in given if value]
    written = {form for value in found for form in (value, quote(value, safe=""), unquote(value))}
    return tuple(sorted((value for value in written if len(value) >= _SHORTEST_SECRET), key=len, reverse=True))
