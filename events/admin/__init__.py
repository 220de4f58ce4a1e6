"""Admin pages of the bus: events and deliveries to read, dead letters to decide.

A site that has adminkit/ (and so unfold) gets the larger pages, any other those of plain.py.
"""

from django.apps import apps

if apps.is_installed("adminkit"):
    from events.admin import history as pages
else:
    from events.admin import plain as pages  # type: ignore[no-redef]

__all__ = ["pages"]
