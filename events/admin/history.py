"""Events, their deliveries and unusable messages, to read; and the page of dead letters."""

from datetime import timedelta

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.utils.safestring import SafeString
from django.utils.timezone import now

from adminkit.pages import Page, TabularInline, as_uuid, link
from adminkit.read_only import ReadOnly
from events.admin.dead_letters import DeadLetterAdmin, DecisionInline, FailedAttemptInline, NoteInline
from events.chunks import first_id_at
from events.models import DeadLetter, Delivery, Event, State, UnusableMessage

WEEK = timedelta(days=7)

admin.site.register(DeadLetter, DeadLetterAdmin)


class DeliveryInline(ReadOnly, TabularInline[Delivery, Event]):
    model = Delivery
    fields = ["handler", "state", "attempts", "handled_at", "last_error"]
    readonly_fields = ["last_error"]
    show_change_link = True

    @admin.display(description="Last error")
    def last_error(self, delivery: Delivery) -> str:
        """Return the message; "" once the delivery is done."""
        return delivery.last_error[1]


@admin.register(Event)
class EventAdmin(ReadOnly, Page[Event]):
    list_display = ["id", "type", "subject", "sequence", "time"]
    list_filter = ["type"]
    search_fields = ["id"]
    search_help_text = "The id of an event, of what it is about, or of a request of the last week"
    ordering = ["-id"]
    inlines = [DeliveryInline]

    def find(self, rows: QuerySet[Event], text: str) -> QuerySet[Event] | None:
        """Find by id or subject; else by a request's id, which has no index: among the events of the last week."""
        wanted = as_uuid(text)
        found = rows.filter(Q(pk=wanted) | Q(subject=wanted)) if wanted else rows.none()
        return found if found.exists() else rows.filter(pk__gte=first_id_at(now() - WEEK), correlation_id=text[:255])


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly, Page[Delivery]):
    list_display = ["id", "handler", "event_type", "state", "attempts", "due_at", "handled_at"]
    list_filter = ["state", "consumer", "handler"]
    search_fields = ["id"]
    search_help_text = "The id of a delivery, or of what its event is about"
    ordering = ["-id"]
    inlines = [FailedAttemptInline, DecisionInline, NoteInline]

    def find(self, rows: QuerySet[Delivery], text: str) -> QuerySet[Delivery]:
        """Find by id, or by the subject of the event: deliveries have no index of their own on that."""
        wanted = as_uuid(text)
        if wanted is None:
            return rows.none()
        return rows.filter(Q(pk=wanted) | Q(event__in=Event.objects.filter(subject=wanted)))


def delivery_link(delivery: Delivery) -> SafeString:
    """Return a link to the delivery's page, which is a dead letter's where a person decides or has decided about it."""
    letter = delivery.state in (State.DEAD, State.DISCARDED)
    return link(delivery.state, f"events_{'deadletter' if letter else 'delivery'}_change", delivery.pk)


@admin.register(UnusableMessage)
class UnusableMessageAdmin(ReadOnly, Page[UnusableMessage]):
    list_display = ["received_at", "queue", "problem", "worker", "size", "summary"]
    list_filter = ["problem", "queue"]
    search_fields = ["=id", "detail", "raw"]
    ordering = ["-id"]

    @admin.display
    def summary(self, message: UnusableMessage) -> str:
        return message.detail[:120]
