"""A dead letter's data edited by a person, who sees what that changes before the letter is sent again."""

import json
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from adminkit.forms import Textarea, TextInput
from adminkit.pages import as_written, ask, table
from events.admin.decisions import DecidingPage
from events.errors import EventsError
from events.letters.dead_letters import InvalidInput, NotDead, data_of, fitting, letters, replay
from events.models import DeadLetter, State

MOST = 200_000  # characters of JSON; data of 1,000 lines have about 120,000
IN_WORDS = {"equal": "", "replace": "changed", "delete": "removed", "insert": "added"}


def pretty(data: Any) -> str:
    """Return data as people read and edit them, in one order: that of PostgreSQL differs from that of the types."""
    return json.dumps(data, indent=2, ensure_ascii=False, sort_keys=True)


def difference(before: Any, after: Any) -> Iterator[tuple[str, str, str]]:
    """Yield for each line what became of it, the old one and the new one: words, since not everybody sees colours."""
    old, new = pretty(before).splitlines(), pretty(after).splitlines()
    for kind, start, end, new_start, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        for old_line, new_line in zip_longest(old[start:end], new[new_start:new_end]):
            what = "insert" if old_line is None else "delete" if new_line is None else kind
            yield IN_WORDS[what], old_line or "", new_line or ""


def difference_table(before: Any, after: Any) -> SafeString:
    rows = [(what, as_written(old), as_written(new)) for what, old, new in difference(before, after)]
    return table("The original data beside the edited ones", ["Difference", "Original", "Edited"], rows)


class Edit(forms.Form):
    """The data that the handler is to be given, as JSON, and why they are edited."""

    data = forms.CharField(  # type: ignore[assignment]  # forms take fields out of the class
        max_length=MOST, widget=Textarea(attrs={"rows": 24, "spellcheck": "false", "class": "as-written"})
    )
    reason = forms.CharField(max_length=500, required=False, widget=TextInput())

    def __init__(self, letter: DeadLetter, given: Any = None) -> None:
        super().__init__(given, initial={"data": pretty(data_of(letter))})
        self._letter = letter

    def clean_data(self) -> dict[str, Any]:
        """Return the data as they are kept, if they fit the event's type and differ from what failed."""
        try:
            edited = fitting(self._letter, _parsed(self.cleaned_data["data"]))
        except InvalidInput as error:
            raise ValidationError(error.lines) from error
        if edited == data_of(self._letter):
            raise ValidationError("Nothing is changed. To send it again as it is, replay it.")
        return edited


class EditingPage(DecidingPage):
    def may_edit(self, request: HttpRequest) -> bool:
        return self.has_decide_permission(request) and request.user.has_perm("events.edit_deadletter")

    def get_urls(self) -> list[URLPattern]:
        edit = self.admin_site.admin_view(self.edit)
        return [path("<uuid:pk>/edit/", edit, name="events_deadletter_edit"), *super().get_urls()]

    def edit(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Show the data to edit; then what the edit changes; then, confirmed, replay with them."""
        if not self.may_edit(request):
            raise PermissionDenied
        letter = get_object_or_404(letters(), pk=pk)
        if letter.state != State.DEAD:
            self.message_user(request, str(NotDead()), messages.ERROR)
            return redirect("admin:events_deadletter_change", pk)
        form = Edit(letter, request.POST or None)
        is_valid = form.is_valid()
        if is_valid and "sure" in request.POST:
            return self._replay(request, letter, form.cleaned_data)
        back = reverse("admin:events_deadletter_change", args=[letter.id])
        shown = {"title": "Edit the data and replay", "original": letter, "form": form, "back": back}
        if is_valid and "again" not in request.POST:
            shown["difference"] = difference_table(letter.event.data, form.cleaned_data["data"])
        return ask(self, request, "admin/events/deadletter/edit.html", **shown)

    def _replay(self, request: HttpRequest, letter: DeadLetter, edit: dict[str, Any]) -> HttpResponse:
        try:
            replay(letter.id, by=str(request.user), **edit)
        except EventsError as error:  # somebody else was first
            self.message_user(request, f"It was not sent again: {error}", messages.ERROR)
        else:
            self.message_user(request, "It will be sent again, with the edited data.", messages.SUCCESS)
        return redirect("admin:events_deadletter_change", letter.id)


def _parsed(text: str) -> Any:
    """Return the JSON. Raises ValidationError, with the place, for what is none or what PostgreSQL cannot keep."""
    try:
        data = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        told = f"This is not JSON: {error.msg}, in line {error.lineno}, column {error.colno}."
        raise ValidationError(told) from error
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, 1,000 brackets
        raise ValidationError(f"This is no JSON that can be kept: {error}.") from error
    if "\\u0000" in json.dumps(data):
        raise ValidationError("PostgreSQL keeps no NUL character (\\u0000).")
    return data


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")
