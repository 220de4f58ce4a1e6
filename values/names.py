"""Names of people and of things that are sold: each is one line of text, with no link in it.

They stand in mails as plain text, where a line break would let a name write lines of its own.
"""

import re

from django.core.exceptions import ValidationError

# Control characters (Unicode's Cc, line breaks among them), the separators of lines and paragraphs, and links.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]|://")


def validate_name(name: str) -> None:
    """Raise Django's ValidationError where this is no name. For the `validators` of a field."""
    if _UNFIT.search(name):
        raise ValidationError('Give one line of text, without control characters and without "://".', code="unfit")


def in_one_line(name: str) -> str:
    """Return a name that was stored before validate_name() refused it, as one that it would take."""
    return " ".join(_UNFIT.sub(" ", name).split())
