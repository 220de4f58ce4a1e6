"""What is done about dead letters in the admin: replay and discard, one, chosen ones, or a group."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse

from adminkit.forms import TextInput
from adminkit.pages import Page, ask
from events.letters.dead_letters import (
    DECIDE,
    dead_letters,
    discard_all,
    discard_effect,
    is_refusal,
    letters,
    replay_all,
)
from events.models import DeadLetter

SHOWN = 20  # letters that a form names one by one


class Reason(forms.Form):
    reason = forms.CharField(max_length=500, widget=TextInput())


class DecidingPage(Page[DeadLetter]):
    """The list's actions, and the addresses of the buttons."""

    actions = ["replay", "discard"]

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(DECIDE)

    def check_may_decide(self, request: HttpRequest) -> None:
        if not self.has_decide_permission(request):
            raise PermissionDenied

    @admin.action(description="Replay: send again from the first attempt", permissions=["decide"])
    def replay(self, request: HttpRequest, chosen: QuerySet[DeadLetter]) -> None:
        self._replay_all(request, list(chosen.values_list("id", flat=True)))

    @admin.action(description="Discard, with a reason", permissions=["decide"])
    def discard(self, request: HttpRequest, chosen: QuerySet[DeadLetter], back: str = "") -> HttpResponse | None:
        """Return the form, or None when its answer was good and the letters are discarded."""
        form = Reason(request.POST if "reason" in request.POST else None)
        if not form.is_valid():
            return ask(self, request, "admin/events/deadletter/discard.html", **_confirmation(chosen, form, back))
        ids = list(chosen.values_list("id", flat=True))
        count, failed = discard_all(ids, by=str(request.user), reason=form.cleaned_data["reason"])
        for letter_id, error in failed.items():
            why = str(error) if is_refusal(error) else repr(error)
            self.message_user(request, f"{letter_id} was not discarded: {why}", messages.ERROR)
        level = messages.SUCCESS if count else messages.WARNING
        self.message_user(request, f"{count} of {len(ids)} discarded.", level)
        return None

    def get_urls(self) -> list[URLPattern]:
        site = self.admin_site.admin_view
        return [
            path("replay-group/", site(self.replay_group), name="events_deadletter_replay_group"),
            path("<uuid:pk>/replay/", site(self.replay_one), name="events_deadletter_replay"),
            path("<uuid:pk>/discard/", site(self.discard_one), name="events_deadletter_discard"),
            *super().get_urls(),
        ]

    def replay_one(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        self.check_may_decide(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        self._replay_all(request, [pk])
        return redirect("admin:events_deadletter_change", pk)

    def replay_group(self, request: HttpRequest) -> HttpResponse:
        self.check_may_decide(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        wanted = {name: request.POST.get(name, "") for name in ("handler", "fingerprint")}
        self._replay_all(request, list(dead_letters().filter(**wanted).values_list("id", flat=True)))
        return redirect("admin:events_deadletter_changelist")

    def discard_one(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        self.check_may_decide(request)
        chosen = letters().filter(pk=pk)
        get_object_or_404(chosen)
        page = reverse("admin:events_deadletter_change", args=[pk])
        return self.discard(request, chosen, back=page) or redirect(page)

    def _replay_all(self, request: HttpRequest, ids: Sequence[UUID]) -> None:
        count = replay_all(ids, by=str(request.user))
        level = messages.SUCCESS if count else messages.WARNING
        self.message_user(request, f"{count} of {len(ids)} will be sent again.", level)


def _confirmation(chosen: QuerySet[DeadLetter], form: Reason, back: str) -> dict[str, Any]:
    counts = chosen.order_by("handler").values_list("handler").annotate(Count("id"))
    return {
        "title": "Discard dead letters",
        "form": form,
        "steps": [(handler, count, discard_effect(handler)) for handler, count in counts],
        "letters": chosen[:SHOWN],
        "yes": "Discard",
        "variant": "danger",
        "back": back or reverse("admin:events_deadletter_changelist"),
    }
