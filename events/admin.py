"""Admin pages of the bus: events and deliveries to read, dead letters to decide."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from rest_framework.exceptions import APIException

from events.dead_letters import dead_letters, discard, replay_all
from events.models import DeadLetter, Decision, Delivery, Event, UnusableMessage


class ReadOnly:
    """Rows that only the bus may write."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody adds."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes."""
        return False


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


class DecisionInline(ReadOnly, admin.TabularInline[Decision, DeadLetter]):
    model = Decision
    fields = ["at", "action", "by", "reason"]


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnly, admin.ModelAdmin[DeadLetter]):
    """Deliveries that failed for good and wait for a person."""

    list_display = ["id", "dead_letter_queue", "handler", "event_type", "reason", "error", "attempts", "handled_at"]
    list_filter = ["consumer", "handler", "event_type", "reason"]
    search_fields = ["=id", "=subject", "error_message"]
    ordering = ["id"]
    actions = ["replay", "discard"]
    inlines = [DecisionInline]
    readonly_fields = ["event_data"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeadLetter]:
        """Show the dead only."""
        return dead_letters()

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may replay and discard."""
        return request.user.has_perm("events.decide_deadletter")

    @admin.display(description="queue")
    def dead_letter_queue(self, letter: DeadLetter) -> str:
        """Return the name under which operators know the consumer's dead letters."""
        return f"{letter.consumer}.dlq"

    @admin.display
    def error(self, letter: DeadLetter) -> str:
        """Return the error on one line."""
        return f"{letter.error_type}: {letter.error_message}"[:120]

    @admin.display
    def event_data(self, letter: DeadLetter) -> Any:
        """Return what the handler was given."""
        return letter.edited_data or letter.event.data

    @admin.action(description="Replay: send again from the first attempt", permissions=["decide"])
    def replay(self, request: HttpRequest, letters: QuerySet[DeadLetter]) -> None:
        """Replay the chosen ones."""
        ids = list(letters.values_list("id", flat=True))
        count = replay_all(ids, by=str(request.user))
        self.message_user(request, f"{count} of {len(ids)} will be sent again.", messages.SUCCESS)

    @admin.action(description="Discard, with a reason", permissions=["decide"])
    def discard(self, request: HttpRequest, letters: QuerySet[DeadLetter]) -> HttpResponse | None:
        """Ask for a reason, then give the chosen ones up, each with its compensation."""
        if "reason" not in request.POST:
            context = self.admin_site.each_context(request) | {"letters": letters, "title": "Discard dead letters"}
            return TemplateResponse(request, "events/discard.html", context)
        for letter in letters:
            self._discard_one(request, letter)
        return None

    def _discard_one(self, request: HttpRequest, letter: DeadLetter) -> None:
        try:
            discard(letter.id, by=str(request.user), reason=request.POST["reason"])
        except APIException as error:
            self.message_user(request, f"{letter.id} was not discarded: {error.detail}", messages.ERROR)
        else:
            self.message_user(request, f"{letter.id} is discarded.", messages.SUCCESS)


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
