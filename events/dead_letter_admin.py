"""Admin pages of the dead letters: what went wrong, in groups and one by one; replay and discard."""

import json
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from rest_framework.exceptions import APIException

from events.dead_letters import data_of, dead_letters, discard_all, in_place_of, letters, replay_all
from events.groups import groups
from events.models import LETTER, DeadLetter, Decision, Delivery, FailedAttempt, State
from events.read_only import ReadOnly

SHOWN = 20  # letters that a form names one by one


class Reason(forms.Form):
    """Why letters are discarded."""

    reason = forms.CharField(max_length=500, widget=forms.TextInput(attrs={"size": 60}))


class PartOfLetter(ReadOnly):
    """Rows that whoever may see the letter may see."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Leave it to the page."""
        return True


class DecisionInline(PartOfLetter, admin.TabularInline[Decision, Delivery]):
    """What was decided, by whom, when and why."""

    model = Decision
    fields = ["at", "action", "by", "reason"]


class FailedAttemptInline(PartOfLetter, admin.TabularInline[FailedAttempt, Delivery]):
    """The attempts that counted, also those before a replay."""

    model = FailedAttempt
    verbose_name_plural = "failed attempts (counted from 1 again after a replay)"
    fields = ["number", "started_at", "ended_at", "worker", "error_type", "error_message"]


class StateFilter(admin.SimpleListFilter):
    """The dead, who wait for a person; or the discarded, when asked for."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return what may be asked for."""
        return [(State.DISCARDED, State.DISCARDED)]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Call the list that nobody asked for by its name."""
        asked_nothing, *others = super().choices(changelist)
        yield {**asked_nothing, "display": State.DEAD}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> QuerySet[DeadLetter]:
        """Return those in the state."""
        return queryset.filter(state=self.value() or State.DEAD)


class DeadLetterAdmin(ReadOnly, admin.ModelAdmin[DeadLetter]):
    """Deliveries that failed for good and wait for a person."""

    list_display = ["id", "dead_letter_queue", "handler", "event_type", "reason", "error", "attempts", "handled_at"]
    list_filter = [StateFilter, "consumer", "handler", "event_type", "reason", "fingerprint"]
    search_fields = ["=id", "=subject", "error_message"]
    ordering = ["id"]
    show_full_result_count = False
    actions = ["replay", "discard"]
    inlines = [FailedAttemptInline, DecisionInline]
    fieldsets = [
        (None, {"fields": ["dead_letter_queue", "handler", "state", "reason", "attempts", "handled_at", "in_flower"]}),
        ("Error", {"fields": ["error_type", "error_message", "the_group", "the_traceback"]}),
        ("Event", {"fields": ["event_type", "event", "subject", "sequence", "correlation_id", "event_data"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeadLetter]:
        """List the dead and the discarded."""
        return DeadLetter.objects.filter(LETTER).select_related("event")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> DeadLetter | None:
        """Return a letter; also one that was replayed, with what was decided about it."""
        try:
            return letters().filter(pk=object_id).first()
        except ValidationError:
            return None

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may replay and discard."""
        return request.user.has_perm("events.decide_deadletter")

    # --- what is shown ------------------------------------------------------------------------------------------------

    @admin.display(description="queue")
    def dead_letter_queue(self, letter: DeadLetter) -> str:
        """Return the name under which operators know the consumer's dead letters."""
        return f"{letter.consumer}.dlq"

    @admin.display
    def error(self, letter: DeadLetter) -> str:
        """Return the error on one line."""
        return f"{letter.error_type}: {letter.error_message}"[:120]

    @admin.display(description="traceback")
    def the_traceback(self, letter: DeadLetter) -> SafeString:
        """Return the traceback of the last attempt."""
        return _as_written(letter.error_traceback)

    @admin.display(description="data")
    def event_data(self, letter: DeadLetter) -> SafeString:
        """Return what the handler was given."""
        edited = "" if letter.edited_data is None else " (edited for this delivery)"
        return format_html("{}{}", _as_written(json.dumps(data_of(letter), indent=2, ensure_ascii=False)), edited)

    @admin.display(description="request id")
    def correlation_id(self, letter: DeadLetter) -> str:
        """Return the id of the request from which the event follows, as it stands on every log line."""
        return letter.event.correlation_id

    @admin.display(description="in Flower")
    def in_flower(self, letter: DeadLetter) -> SafeString:
        """Return a link to the Celery task."""
        return format_html('<a href="{0}/task/{1}">{1}</a>', settings.FLOWER_URL, letter.id)

    @admin.display(description="the same error")
    def the_group(self, letter: DeadLetter) -> SafeString:
        """Return a link to the letters of the same handler and kind of error."""
        url = reverse("admin:events_deadletter_changelist")
        query = f"handler={letter.handler}&fingerprint={letter.fingerprint}"
        return format_html('<a href="{}?{}">{}</a>', url, query, letter.fingerprint or "none")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the groups first, until something is filtered."""
        shown = {"groups": () if request.GET else groups, "may_decide": self.has_decide_permission(request)}
        return super().changelist_view(request, {**(extra_context or {}), **shown})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one letter, with what may be done about it."""
        shown = {"may_decide": self.has_decide_permission(request)}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **shown})

    # --- what is done -------------------------------------------------------------------------------------------------

    @admin.action(description="Replay: send again from the first attempt", permissions=["decide"])
    def replay(self, request: HttpRequest, chosen: QuerySet[DeadLetter]) -> None:
        """Replay the chosen ones."""
        self._replay_all(request, list(chosen.values_list("id", flat=True)))

    @admin.action(description="Discard, with a reason", permissions=["decide"])
    def discard(self, request: HttpRequest, chosen: QuerySet[DeadLetter]) -> HttpResponse | None:
        """Ask for a reason, then give the chosen ones up, each with its compensation."""
        return self._discard(request, chosen)

    def get_urls(self) -> list[URLPattern]:
        """Add what is done about one letter, and about a group."""
        site = self.admin_site.admin_view
        return [
            path("replay-group/", site(self.replay_group), name="events_deadletter_replay_group"),
            path("<uuid:pk>/replay/", site(self.replay_one), name="events_deadletter_replay"),
            path("<uuid:pk>/discard/", site(self.discard_one), name="events_deadletter_discard"),
            *super().get_urls(),
        ]

    def replay_one(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Replay one letter."""
        self._check_may_decide(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        self._replay_all(request, [pk])
        return redirect("admin:events_deadletter_change", pk)

    def replay_group(self, request: HttpRequest) -> HttpResponse:
        """Replay all letters of one handler and kind of error."""
        self._check_may_decide(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        wanted = {name: request.POST.get(name, "") for name in ("handler", "fingerprint")}
        self._replay_all(request, list(dead_letters().filter(**wanted).values_list("id", flat=True)))
        return redirect("admin:events_deadletter_changelist")

    def discard_one(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Ask for a reason, then give one letter up, with its compensation."""
        self._check_may_decide(request)
        chosen = letters().filter(pk=pk)
        get_object_or_404(chosen)
        return self._discard(request, chosen) or redirect("admin:events_deadletter_change", pk)

    def _check_may_decide(self, request: HttpRequest) -> None:
        if not self.has_decide_permission(request):
            raise PermissionDenied

    def _replay_all(self, request: HttpRequest, ids: Sequence[UUID]) -> None:
        count = replay_all(ids, by=str(request.user))
        level = messages.SUCCESS if count else messages.WARNING
        self.message_user(request, f"{count} of {len(ids)} will be sent again.", level)

    def _discard(self, request: HttpRequest, chosen: QuerySet[DeadLetter]) -> HttpResponse | None:
        """Return the form, or None when its answer was good and the letters are discarded."""
        form = Reason(request.POST if "reason" in request.POST else None)
        if not form.is_valid():
            return self._ask_for_reason(request, chosen, form)
        ids = list(chosen.values_list("id", flat=True))
        count, failed = discard_all(ids, by=str(request.user), reason=form.cleaned_data["reason"])
        for letter_id, error in failed.items():
            why = error.detail if isinstance(error, APIException) else repr(error)
            self.message_user(request, f"{letter_id} was not discarded: {why}", messages.ERROR)
        level = messages.SUCCESS if count else messages.WARNING
        self.message_user(request, f"{count} of {len(ids)} discarded.", level)
        return None

    def _ask_for_reason(self, request: HttpRequest, chosen: QuerySet[DeadLetter], form: Reason) -> HttpResponse:
        counts = chosen.order_by("handler").values_list("handler").annotate(Count("id"))
        context = {
            **self.admin_site.each_context(request),
            "title": "Discard dead letters",
            "opts": self.opts,
            "form": form,
            "steps": [(handler, count, in_place_of(handler)) for handler, count in counts],
            "letters": chosen[:SHOWN],
            "selected": request.POST.getlist("_selected_action"),
            "across": request.POST.get("select_across", "0"),
        }
        return TemplateResponse(request, "admin/events/deadletter/discard.html", context)


def _as_written(text: str) -> SafeString:
    return format_html('<pre style="white-space: pre-wrap; margin: 0">{}</pre>', text)
