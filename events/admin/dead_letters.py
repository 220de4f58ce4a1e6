"""Admin pages of the dead letters: what went wrong, in groups and one by one. What is done about them stands in
decisions.py and edit.py.
"""

from collections.abc import Iterator, Sequence
from shlex import quote as in_shell
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from adminkit.forms import Textarea
from adminkit.pages import Button, Section, TabularInline, as_written, link
from adminkit.read_only import ReadOnly
from events.admin.edit import EditingPage, difference_table, pretty
from events.conf import setting
from events.letters.dead_letters import add_note, letters
from events.letters.groups import groups
from events.models import LETTER, DeadLetter, Decision, Delivery, FailedAttempt, Note, State
from events.subscriptions import dead_letter_queue, the_map

GROUP_HEADERS = ["Queue", "Handler", "Error", "Letters", "First died", "Last died", "Replay"]


class NoteForm(forms.Form):
    text = forms.CharField(label="Add a note", max_length=5_000, widget=Textarea(attrs={"rows": 3}))


class PartOfLetter(ReadOnly):
    """Rows that whoever may see the letter may see."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


class DecisionInline(PartOfLetter, TabularInline[Decision, Delivery]):
    model = Decision
    hide_title = True
    fields = ["at", "action", "by", "reason", "died_at"]


class NoteInline(PartOfLetter, TabularInline[Note, Delivery]):
    model = Note
    hide_title = True
    fields = ["at", "by", "text"]


class FailedAttemptInline(PartOfLetter, TabularInline[FailedAttempt, Delivery]):
    """The attempts that counted, also those before a replay."""

    model = FailedAttempt
    hide_title = True
    verbose_name_plural = "failed attempts (counted from 1 again after a replay)"
    fields = ["number", "started_at", "ended_at", "worker", "error_type", "error_message"]


class StateFilter(admin.SimpleListFilter):
    """The dead, who wait for a person; or the discarded, when asked for."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(State.DISCARDED, State.DISCARDED)]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Call the list that nobody asked for by its name."""
        asked_nothing, *others = super().choices(changelist)
        yield {**asked_nothing, "display": State.DEAD}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> QuerySet[DeadLetter]:
        return queryset.filter(state=self.value() or State.DEAD)


class DeadLetterAdmin(ReadOnly, EditingPage):
    list_display = ["id", "dead_letter_queue", "handler", "event_type", "reason", "error", "attempts", "handled_at"]
    list_filter = [StateFilter, "consumer", "handler", "event_type", "reason", "fingerprint"]
    search_fields = ["=id", "=subject", "error_message"]  # letters are few
    ordering = ["id"]
    list_before_template = "admin/events/deadletter/groups.html"
    change_form_template = "admin/events/deadletter/change_form.html"
    inlines = [FailedAttemptInline, DecisionInline, NoteInline]
    fieldsets = [
        (None, {"fields": ["dead_letter_queue", "handler", "state", "reason", "attempts", "handled_at", "in_flower"]}),
        ("Error", {"fields": ["error_type", "error_message", "the_group", "the_traceback"]}),
        ("Event", {"fields": ["event_type", "event", "about", "sequence", "request_id", "in_the_log", "event_data"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeadLetter]:
        return DeadLetter.objects.filter(LETTER).select_related("event")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> DeadLetter | None:
        """Return a letter; also one that was replayed, with what was decided about it."""
        try:
            return letters().filter(pk=object_id).first()
        except ValidationError:
            return None

    # --- what is shown ------------------------------------------------------------------------------------------------

    @admin.display(description="queue")
    def dead_letter_queue(self, letter: DeadLetter) -> str:
        return dead_letter_queue(letter.consumer)

    @admin.display
    def error(self, letter: DeadLetter) -> str:
        return f"{letter.error_type}: {letter.error_message}"[:120]

    @admin.display(description="traceback")
    def the_traceback(self, letter: DeadLetter) -> SafeString:
        return as_written(letter.error_traceback)

    @admin.display(description="data")
    def event_data(self, letter: DeadLetter) -> SafeString:
        return as_written(pretty(letter.event.data))

    @admin.display(description="about")
    def about(self, letter: DeadLetter) -> SafeString | str:
        page = the_map().subject_page(letter.event_type)
        return link(letter.subject, page, letter.subject) if page else str(letter.subject)

    @admin.display(description="request id")
    def request_id(self, letter: DeadLetter) -> str:
        return letter.event.correlation_id

    @admin.display(description="in the log")
    def in_the_log(self, letter: DeadLetter) -> SafeString | str:
        """Return a link to the log lines of the request, or without LOGS_URL a command that finds them."""
        request_id = letter.event.correlation_id
        if not request_id:
            return "-"
        if not setting("LOGS_URL"):
            return as_written(f"grep -F -- {in_shell(request_id)} THE_LOG")
        url = setting("LOGS_URL").replace("{request_id}", quote(request_id, safe=""))
        return format_html('<a class="text-link underline" href="{}">{}</a>', url, request_id)

    @admin.display(description="in Flower")
    def in_flower(self, letter: DeadLetter) -> SafeString:
        return format_html(
            '<a class="text-link underline" href="{0}/task/{1}">{1}</a>', setting("FLOWER_URL"), letter.id
        )

    @admin.display(description="the same error")
    def the_group(self, letter: DeadLetter) -> SafeString:
        query = f"?handler={quote(letter.handler)}&fingerprint={letter.fingerprint}"
        return link(letter.fingerprint or "none", "events_deadletter_changelist", query=query)

    def sections(self, request: HttpRequest, row: DeadLetter) -> Sequence[Section]:
        if row.edited_data is None:
            return ()
        return (
            Section("Edited data, which the handler is given", as_written(pretty(row.edited_data))),
            Section("What the edit changes", difference_table(row.event.data, row.edited_data)),
        )

    def buttons(self, request: HttpRequest, row: DeadLetter) -> Sequence[Button]:
        if row.state != State.DEAD or not self.has_decide_permission(request):
            return ()
        edit = Button("Edit the data and replay", reverse("admin:events_deadletter_edit", args=[row.pk]))
        discard = Button("Discard, with a reason", reverse("admin:events_deadletter_discard", args=[row.pk]))
        return (edit, discard) if self.may_edit(request) else (discard,)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the groups first, until something is filtered."""
        shown = {
            "groups": () if request.GET else groups,
            "group_headers": GROUP_HEADERS,
            "may_decide": self.has_decide_permission(request),
        }
        return super().changelist_view(request, {**(extra_context or {}), **shown})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        shown = {"may_decide": self.has_decide_permission(request), "note": NoteForm()}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **shown})

    def get_urls(self) -> list[URLPattern]:
        note = self.admin_site.admin_view(self.note)
        return [path("<uuid:pk>/note/", note, name="events_deadletter_note"), *super().get_urls()]

    def note(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        self.check_may_decide(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        letter, form = get_object_or_404(letters(), pk=pk), NoteForm(request.POST)
        if form.is_valid():
            add_note(letter.id, by=str(request.user), text=form.cleaned_data["text"])
        else:
            self.message_user(request, f"The note was not kept: {form.errors['text'][0]}", messages.ERROR)
        return redirect("admin:events_deadletter_change", pk)
