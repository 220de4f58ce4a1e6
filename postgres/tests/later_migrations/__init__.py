"""The migrations of notifications, and one more: for a site whose next release is to be migrated to."""

from notifications import migrations

__path__ = [*migrations.__path__, *__path__]
