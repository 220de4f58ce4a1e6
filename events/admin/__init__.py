"""Admin pages of the bus, for sites that have adminkit/: events and deliveries to read, dead letters to decide."""

from events.admin import history

__all__ = ["history"]
