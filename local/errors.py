"""The one exception of this package."""


class LocalError(Exception):
    """Something the person at the keyboard can mend; the message is one line that says how."""
