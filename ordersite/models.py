"""Django makes the permissions of an app that has this module. The one model with this label is in backoffice/."""

from backoffice.models import Customer

__all__ = ["Customer"]
