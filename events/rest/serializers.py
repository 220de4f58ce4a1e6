"""What the dead letters' endpoints take and give."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from events.conf import setting
from events.letters.dead_letters import data_of, discard_effect, is_known_handler, is_known_type
from events.models import DeadLetter, Decision, Delivery, FailedAttempt, State
from events.subscriptions import dead_letter_queue
from rest.strict import Query, Strict

# States as the API tells them: how the bus hands deliveries out is no concern of a reader.
PUBLIC_STATUS: Mapping[State, str] = {
    State.PENDING: "pending",
    State.LEASED: "in_progress",
    State.RUNNING: "in_progress",
    State.DONE: "done",
    State.DEAD: "dead",
    State.DISCARDED: "discarded",
}
STATUSES = sorted(set(PUBLIC_STATUS.values()))


@extend_schema_field({"type": "string", "enum": STATUSES})
class StatusField(serializers.CharField):
    """A delivery's state as the API tells it."""

    def to_representation(self, value: str) -> str:
        return PUBLIC_STATUS[State(value)]


class ChoiceOfLettersSerializer(serializers.Serializer[Any]):
    """Which dead letters: those of a handler, of an event type, of both, or all. Unknown names are refused."""

    handler = serializers.CharField(
        max_length=100, required=False, help_text="Only those of this handler. An unknown one is 400."
    )
    event_type = serializers.CharField(
        max_length=100, required=False, help_text="Only those of this event type. An unknown one is 400."
    )

    def validate_handler(self, value: str) -> str:
        if not is_known_handler(value):
            raise serializers.ValidationError(f"There is no handler {value}.")
        return value

    def validate_event_type(self, value: str) -> str:
        if not is_known_type(value):
            raise serializers.ValidationError(f"There is no event type {value}.")
        return value


@extend_schema_serializer(component_name="DeadLetterChoice")
class ReplaySerializer(Strict, ChoiceOfLettersSerializer):
    """Which dead letters to replay. A misspelt `handler` must not replay them all."""


class LetterQuerySerializer(Query, ChoiceOfLettersSerializer):
    """The filters of the list. A replayed letter becomes `pending`, then `in_progress`, then `done`, or `dead` once
    more; a discarded one stays `discarded`.
    """

    status = serializers.ChoiceField(
        choices=STATUSES,
        default="dead",
        help_text="`dead`, if none is given: what waits for a person. The others are of letters that were replayed or"
        " discarded.",
    )


class DiscardSerializer(Strict):
    """Why a dead letter is given up."""

    reason = serializers.CharField(max_length=500, help_text="Why it is given up, for whoever reads the books.")


_ERROR_TYPE = {"help_text": "The class of the error."}


@extend_schema_serializer(component_name="DeadLetter")
class LetterSerializer(serializers.ModelSerializer[DeadLetter]):
    """A dead letter in a list. `reason` is why it is dead, "" once it is not; `handled_at` is when it died, was
    discarded, or was done; `fingerprint` is the same for letters with the same kind of error from the same place.
    """

    queue = serializers.SerializerMethodField(
        help_text="The name under which operators know the consumer's dead letters."
    )
    status = StatusField(source="state")

    class Meta:
        model = DeadLetter
        fields = [
            "id",
            "queue",
            "handler",
            "event_id",
            "event_type",
            "subject",
            "status",
            "reason",
            "attempts",
            "max_attempts",
            "error_type",
            "error_message",
            "fingerprint",
            "created_at",
            "handled_at",
        ]
        extra_kwargs = {
            "handler": {"help_text": "Who should have handled the event."},
            "subject": {"help_text": "The id of what the event is about."},
            "reason": {"help_text": "Why it is dead; empty once it is not."},
            "error_type": _ERROR_TYPE,
            "fingerprint": {"help_text": "The same for letters with the same kind of error from the same place."},
            "handled_at": {"help_text": "When it died, was discarded, or was done."},
        }

    def get_queue(self, letter: Delivery) -> str:
        return dead_letter_queue(letter.consumer)


class FailedAttemptSerializer(serializers.ModelSerializer[FailedAttempt]):
    """An attempt that counted and failed. `number` starts at 1 again after a replay."""

    class Meta:
        model = FailedAttempt
        fields = ["number", "started_at", "ended_at", "worker", "error_type", "error_message"]
        extra_kwargs = {
            "number": {"help_text": "From 1; from 1 again after a replay."},
            "worker": {"help_text": "The worker that tried."},
            "error_type": _ERROR_TYPE,
        }


class DecisionSerializer(serializers.ModelSerializer[Decision]):
    """What a person did about a dead letter."""

    class Meta:
        model = Decision
        fields = ["action", "by", "reason", "at"]
        extra_kwargs = {
            "by": {"help_text": "Who decided."},
            "reason": {"help_text": "Why, in that person's words."},
        }


@extend_schema_serializer(component_name="WholeDeadLetter")
class WholeLetterSerializer(LetterSerializer):
    """A dead letter, whole. `data` are what the handler is given; `discard_does` is what is done in its place."""

    correlation_id = serializers.CharField(
        source="event.correlation_id", help_text="The X-Request-ID of the request from which it follows."
    )
    data = serializers.SerializerMethodField(  # type: ignore[assignment]  # DRF takes fields out of the class
        help_text="What the handler is given."
    )
    traceback = serializers.CharField(
        source="error_traceback", help_text="Where in the code it failed, secrets hidden."
    )
    failed_attempts = FailedAttemptSerializer(many=True, help_text="Every attempt that counted and failed.")
    decisions = DecisionSerializer(many=True, help_text="What people did about it.")
    discard_does = serializers.SerializerMethodField(help_text="What is done in its place where it is discarded.")
    flower_url = serializers.SerializerMethodField(help_text="Where the Celery task is shown.")

    class Meta(LetterSerializer.Meta):
        fields = [
            *LetterSerializer.Meta.fields,
            "correlation_id",
            "data",
            "traceback",
            "failed_attempts",
            "decisions",
            "discard_does",
            "flower_url",
        ]

    def get_data(self, letter: DeadLetter) -> Any:
        return data_of(letter)

    def get_discard_does(self, letter: DeadLetter) -> str:
        return discard_effect(letter.handler)

    def get_flower_url(self, letter: DeadLetter) -> str:
        return f"{setting('FLOWER_URL')}/task/{letter.id}"
