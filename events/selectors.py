"""Reads of the bus for other apps."""

from uuid import UUID

from django.db.models import Prefetch, QuerySet

from events.models import Delivery, Event


def history_of(subject: UUID) -> QuerySet[Event]:
    """Return a subject's events in order, each with its deliveries."""
    in_order = Prefetch("deliveries", queryset=Delivery.objects.order_by("handler"))
    return Event.objects.filter(subject=subject).order_by("sequence").prefetch_related(in_order)
