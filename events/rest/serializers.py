"""What the dead letters' endpoints take and give."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from events.conf import setting
from events.letters.dead_letters import data_of, in_place_of, is_known_handler, is_known_type
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


class StatusField(serializers.CharField):
    """A delivery's state as the API tells it."""

    def to_representation(self, value: str) -> str:
        """Return the public word."""
        return PUBLIC_STATUS[State(value)]


class ChoiceOfLettersSerializer(serializers.Serializer[Any]):
    """Which dead letters: those of a handler, of an event type, of both, or all. Unknown names are refused."""

    handler = serializers.CharField(max_length=100, required=False)
    event_type = serializers.CharField(max_length=100, required=False)

    def validate_handler(self, value: str) -> str:
        """Refuse a name that no handler has or had."""
        if not is_known_handler(value):
            raise serializers.ValidationError(f"There is no handler {value}.")
        return value

    def validate_event_type(self, value: str) -> str:
        """Refuse a type that nobody knows."""
        if not is_known_type(value):
            raise serializers.ValidationError(f"There is no event type {value}.")
        return value


class ReplaySerializer(Strict, ChoiceOfLettersSerializer):
    """Which dead letters to replay. A misspelt `handler` must not replay them all."""


class LetterQuerySerializer(Query, ChoiceOfLettersSerializer):
    """The filters of the list.

    `status` is `dead`, if none is given: what waits for a person. A replayed letter becomes `pending`, then
    `in_progress`, then `done`, or `dead` once more; a discarded one stays `discarded`.
    """

    status = serializers.ChoiceField(choices=sorted(set(PUBLIC_STATUS.values())), default="dead")


class DiscardSerializer(Strict):
    """Why a dead letter is given up."""

    reason = serializers.CharField(max_length=500)


class LetterSerializer(serializers.ModelSerializer[DeadLetter]):
    """A dead letter in a list. `reason` is why it is dead, "" once it is not; `handled_at` is when it died, was
    discarded, or was done; `fingerprint` is the same for letters with the same kind of error from the same place.
    """

    queue = serializers.SerializerMethodField()
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

    def get_queue(self, letter: Delivery) -> str:
        """Return the name under which operators know the consumer's dead letters."""
        return dead_letter_queue(letter.consumer)


class FailedAttemptSerializer(serializers.ModelSerializer[FailedAttempt]):
    """An attempt that counted and failed. `number` starts at 1 again after a replay."""

    class Meta:
        model = FailedAttempt
        fields = ["number", "started_at", "ended_at", "worker", "error_type", "error_message"]


class DecisionSerializer(serializers.ModelSerializer[Decision]):
    """What a person did about a dead letter."""

    class Meta:
        model = Decision
        fields = ["action", "by", "reason", "at"]


class WholeLetterSerializer(LetterSerializer):
    """A dead letter, whole. `data` are what the handler is given; `discard_does` is what is done in its place."""

    correlation_id = serializers.CharField(source="event.correlation_id")
    data = serializers.SerializerMethodField()  # type: ignore[assignment]  # DRF takes fields out of the class
    traceback = serializers.CharField(source="error_traceback")
    failed_attempts = FailedAttemptSerializer(many=True)
    decisions = DecisionSerializer(many=True)
    discard_does = serializers.SerializerMethodField()
    flower_url = serializers.SerializerMethodField()

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
        """Return what the handler is given."""
        return data_of(letter)

    def get_discard_does(self, letter: DeadLetter) -> str:
        """Return the compensation, in words."""
        return in_place_of(letter.handler)

    def get_flower_url(self, letter: DeadLetter) -> str:
        """Return where the Celery task is shown."""
        return f"{setting('FLOWER_URL')}/task/{letter.id}"
