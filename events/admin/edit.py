"""A dead letter's data edited by a person, who sees what that changes before the letter is sent again."""

import json
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse

from adminkit.forms import Textarea, TextInput
from adminkit.pages import ask
from events.admin.decisions import DecidingPage
from events.admin.differences import difference_table, pretty
from events.errors import EventsError
from events.letters.dead_letters import InvalidInput, NotDead, data_of, fitting, letters, replay
from events.models import DeadLetter, State

MOST = 200_000  # characters of JSON; data of 1,000 lines have about 120,000


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
    """The address of the form."""

    def may_edit(self, request: HttpRequest) -> bool:
        """Tell whether this person may replay other data than the event's."""
        return self.has_decide_permission(request) and request.user.has_perm("events.edit_deadletter")

    def get_urls(self) -> list[URLPattern]:
        """Add the form."""
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
        if not form.is_valid():
            return ask(self, request, "admin/events/deadletter/edit.html", **_asked(letter, form))
        if "sure" not in request.POST:
            shown = {} if "again" in request.POST else _difference(letter, form.cleaned_data["data"])
            return ask(self, request, "admin/events/deadletter/edit.html", **_asked(letter, form), **shown)
        return self._replay(request, letter, form.cleaned_data)

    def _replay(self, request: HttpRequest, letter: DeadLetter, edit: dict[str, Any]) -> HttpResponse:
        try:
            replay(letter.id, by=str(request.user), **edit)
        except EventsError as error:  # somebody else was first
            self.message_user(request, f"It was not sent again: {error}", messages.ERROR)
        else:
            self.message_user(request, "It will be sent again, with the edited data.", messages.SUCCESS)
        return redirect("admin:events_deadletter_change", letter.id)


def _asked(letter: DeadLetter, form: Edit) -> dict[str, Any]:
    back = reverse("admin:events_deadletter_change", args=[letter.id])
    return {"title": "Edit the data and replay", "original": letter, "form": form, "back": back}


def _difference(letter: DeadLetter, edited: Any) -> dict[str, Any]:
    return {"difference": difference_table(letter.event.data, edited)}


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
