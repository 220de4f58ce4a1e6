"""The dead letters over REST, for staff who may see or decide about them."""

from typing import Any, cast
from uuid import UUID

from django.shortcuts import get_object_or_404
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from events.letters import dead_letters
from events.models import DeadLetter, Delivery, State
from events.rest.errors import as_answers
from events.rest.serializers import (
    PUBLIC_STATUS,
    DiscardSerializer,
    LetterQuerySerializer,
    LetterSerializer,
    ReplaySerializer,
    WholeLetterSerializer,
)
from rest.access import needs, viewing
from rest.idempotency import answered_once
from rest.strict import expect_no_fields

# Whoever may on the admin's page.
VIEW_DEAD_LETTERS = viewing("events", "deadletter")
DECIDE_DEAD_LETTERS = needs(dead_letters.DECIDE)


class LetterListView(GenericAPIView[DeadLetter]):
    """GET /dead-letters."""

    access = {"GET": VIEW_DEAD_LETTERS}

    def get(self, request: Request) -> Response:
        query = LetterQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        filters = dict(query.validated_data)
        status = filters.pop("status")
        states = [state for state, public in PUBLIC_STATUS.items() if public == status]
        if set(states) <= {State.DEAD, State.DISCARDED}:
            letters = DeadLetter.objects.order_by("id")
        else:  # what is neither dead nor discarded is a letter if it was replayed
            letters = dead_letters.replayed_letters()
        page = self.paginate_queryset(letters.filter(state__in=states, **filters).defer("error_traceback"))
        return self.get_paginated_response(LetterSerializer(page, many=True).data)


class LetterView(APIView):
    """GET /dead-letters/{id}."""

    access = {"GET": VIEW_DEAD_LETTERS}

    def get(self, request: Request, letter_id: UUID) -> Response:
        return Response(_whole(letter_id))


class ReplayView(APIView):
    """POST /dead-letters/{id}/replay."""

    access = {"POST": DECIDE_DEAD_LETTERS}

    @answered_once("POST /dead-letters/{letter_id}/replay")
    def post(self, request: Request, letter_id: UUID) -> Response:
        expect_no_fields(request)
        get_object_or_404(Delivery, pk=letter_id)
        with as_answers():
            dead_letters.replay(letter_id, by=str(request.user))
        return Response(_whole(letter_id), status=202)


class DiscardView(APIView):
    """POST /dead-letters/{id}/discard."""

    access = {"POST": DECIDE_DEAD_LETTERS}

    @answered_once("POST /dead-letters/{letter_id}/discard")
    def post(self, request: Request, letter_id: UUID) -> Response:
        get_object_or_404(Delivery, pk=letter_id)
        serializer = DiscardSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        with as_answers():
            dead_letters.discard(letter_id, by=str(request.user), **serializer.validated_data)
        return Response(_whole(letter_id))


class ReplayManyView(APIView):
    """POST /dead-letters/replay."""

    access = {"POST": DECIDE_DEAD_LETTERS}

    @answered_once("POST /dead-letters/replay")
    def post(self, request: Request) -> Response:
        """Replay those of a handler, of an event type, of both, or all, and say how many.

        Some hundreds in a transaction; with an Idempotency-Key all of them in one, so that all or none are replayed.
        """
        choice = ReplaySerializer(data=request.data)
        choice.is_valid(raise_exception=True)
        ids = dead_letters.dead_letters().filter(**choice.validated_data).values_list("id", flat=True)
        return Response({"count": dead_letters.replay_all(list(ids), by=str(request.user))}, status=202)


def _whole(letter_id: UUID) -> dict[str, Any]:
    letter = get_object_or_404(dead_letters.letters(), pk=letter_id)
    return cast(dict[str, Any], WholeLetterSerializer(letter).data)
