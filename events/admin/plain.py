"""The bus in Django's own admin: everything to read, and dead letters to replay.

They are discarded by `manage.py deadletters discard`, which asks for a reason. What is filtered by has choices: for any
other column Django would read the whole table for the list of them.
"""

from typing import TYPE_CHECKING, Any, TypeAlias

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from events.letters.dead_letters import DECIDE, letters, replay_all
from events.models import DeadLetter, Decision, Delivery, Event, FailedAttempt, UnusableMessage

if TYPE_CHECKING:  # Django's own cannot be subscripted as those who check types want it
    ModelAdmin: TypeAlias = admin.ModelAdmin[Any]
    TabularInline: TypeAlias = admin.TabularInline[Any, Any]
else:
    ModelAdmin, TabularInline = admin.ModelAdmin, admin.TabularInline


class ToRead:
    """Rows that only the bus writes."""

    def has_add_permission(self, request: HttpRequest, *given: Any) -> bool:
        """Refuse: publish() writes events, and deliveries follow."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: a change of its state is the bus's."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: the purge deletes."""
        return False


class FailedAttempts(ToRead, TabularInline):
    model = FailedAttempt


class Decisions(ToRead, TabularInline):
    model = Decision


@admin.register(Event)
class EventAdmin(ToRead, ModelAdmin):
    list_display = ["id", "type", "subject", "sequence", "time"]
    search_fields = ["=id", "=subject"]
    ordering = ["-id"]
    show_full_result_count = False


@admin.register(Delivery)
class DeliveryAdmin(ToRead, ModelAdmin):
    list_display = ["id", "handler", "event_type", "state", "attempts", "due_at", "handled_at"]
    list_filter = ["state"]
    search_fields = ["=id"]
    ordering = ["-id"]
    inlines = [FailedAttempts, Decisions]
    show_full_result_count = False


@admin.register(DeadLetter)
class DeadLetterAdmin(ToRead, ModelAdmin):
    list_display = ["id", "handler", "event_type", "reason", "error_type", "error_message", "attempts", "handled_at"]
    list_filter = ["state", "reason"]
    search_fields = ["=id", "=subject"]
    ordering = ["id"]
    inlines = [FailedAttempts, Decisions]
    actions = ["replay"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeadLetter]:
        return letters()

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(DECIDE)

    @admin.action(description="Replay: send again from the first attempt", permissions=["decide"])
    def replay(self, request: HttpRequest, chosen: QuerySet[DeadLetter]) -> None:
        count = replay_all(list(chosen.values_list("id", flat=True)), by=str(request.user))
        self.message_user(request, f"{count} will be sent again.")


@admin.register(UnusableMessage)
class UnusableMessageAdmin(ToRead, ModelAdmin):
    list_display = ["received_at", "queue", "problem", "worker", "size", "detail"]
    list_filter = ["problem"]
    ordering = ["-id"]
