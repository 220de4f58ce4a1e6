"""Admin pages of the bus: events and deliveries to read, dead letters to decide (dead_letter_admin.py)."""

from django.contrib import admin

from events.dead_letter_admin import DeadLetterAdmin, DecisionInline, FailedAttemptInline
from events.models import DeadLetter, Delivery, Event, UnusableMessage
from events.read_only import ReadOnly

admin.site.register(DeadLetter, DeadLetterAdmin)


class DeliveryInline(ReadOnly, admin.TabularInline[Delivery, Event]):
    model = Delivery
    fields = ["handler", "state", "attempts", "handled_at", "error_message"]
    show_change_link = True


@admin.register(Event)
class EventAdmin(ReadOnly, admin.ModelAdmin[Event]):
    """What happened, and who has handled it."""

    list_display = ["id", "type", "subject", "sequence", "time"]
    list_filter = ["type"]
    search_fields = ["=id", "=subject", "=correlation_id"]
    ordering = ["-id"]
    show_full_result_count = False
    inlines = [DeliveryInline]


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly, admin.ModelAdmin[Delivery]):
    """Every event on its way to every handler."""

    list_display = ["id", "handler", "event_type", "state", "attempts", "due_at", "handled_at"]
    list_filter = ["state", "consumer", "handler"]
    search_fields = ["=id", "=subject"]
    ordering = ["-id"]
    show_full_result_count = False
    inlines = [FailedAttemptInline, DecisionInline]


@admin.register(UnusableMessage)
class UnusableMessageAdmin(ReadOnly, admin.ModelAdmin[UnusableMessage]):
    """Messages that no worker could use, as they came."""

    list_display = ["received_at", "queue", "problem", "worker", "size", "summary"]
    list_filter = ["problem", "queue"]
    search_fields = ["=id", "detail", "raw"]
    ordering = ["-id"]
    show_full_result_count = False

    @admin.display
    def summary(self, message: UnusableMessage) -> str:
        """Return what was wrong, on one line."""
        return message.detail[:120]
