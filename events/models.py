"""The tables of the bus. A delivery's state changes by SQL alone (claims, deliveries, failures, sweeps, letters)."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7


class Event(models.Model):
    """Something that happened, in the words of CloudEvents 1.0. Written by publish(), never changed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = models.CharField(max_length=100)
    type = models.CharField(max_length=100)
    subject = models.UUIDField()
    sequence = models.BigIntegerField()
    time = models.DateTimeField(db_default=Now())
    correlation_id = models.CharField(max_length=128, blank=True)
    traceparent = models.CharField(max_length=55, blank=True, db_default="")
    data = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subject", "sequence"], name="event_sequence_once")]
        indexes = [models.Index(fields=["type", "id"], name="event_type")]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"

    @property
    def dataschema(self) -> str:
        """The URI that names the schema of `data`."""
        return f"/api/events/schemas/{self.type}.json"


class SubjectCounter(models.Model):
    """The last sequence number of a subject. Its row lock, held to commit, is what orders the subject's events.

    Never purged: a counter that started again would put later events before earlier ones.
    """

    subject = models.UUIDField(primary_key=True)
    last = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.subject} {self.last}"


class State(models.TextChoices):
    """The states of a delivery."""

    PENDING = "pending"
    LEASED = "leased"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    DISCARDED = "discarded"


class Reason(models.TextChoices):
    """Why a delivery is dead. A closed set."""

    PERMANENT_ERROR = "permanent_error", "permanent error"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted", "attempts exhausted"
    WORKER_LOST = "worker_lost", "worker lost"
    TIMED_OUT = "timed_out", "timed out"
    UNKNOWN_TYPE = "unknown_type", "unknown type"
    NO_SUCH_HANDLER = "no_such_handler", "no such handler"


class WaitingFor(models.TextChoices):
    """What an uncounted delivery waits for."""

    DEPENDENCY = "dependency"
    CODE = "code"


IN_FLIGHT = Q(state__in=[State.LEASED, State.RUNNING])
# What holds back the later deliveries of the same subject and consumer.
UNDONE = Q(handled_at__isnull=True) | Q(state=State.DEAD, dead_holds=True)
OVER = Q(state__in=[State.DONE, State.DEAD, State.DISCARDED])

# What waits for a person, or was given up by one.
LETTER = Q(state__in=[State.DEAD, State.DISCARDED])


class Delivery(models.Model):
    """One event on its way to one handler. A dead one is the dead letter.

    `due_at` is when it may be sent; NULL means parked: it waits for an earlier one, which wakes it. What the relay
    needs to route it (queue, lease, attempts, batch) is copied here when the event is published, so that a relay may
    run other code than the publisher. `batch`: how many may share a message; 1 for good once it failed in one.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    event = models.ForeignKey(  # its index is delivery_once_per_handler
        Event, on_delete=models.PROTECT, related_name="deliveries", db_index=False
    )
    event_type = models.CharField(max_length=100)
    subject = models.UUIDField()
    sequence = models.BigIntegerField()
    handler = models.CharField(max_length=100)
    consumer = models.CharField(max_length=50)
    queue = models.CharField(max_length=50)
    lease_seconds = models.PositiveIntegerField()
    max_attempts = models.PositiveSmallIntegerField()
    dead_holds = models.BooleanField()
    batch = models.PositiveSmallIntegerField(db_default=1)
    in_batch = models.BooleanField(db_default=False)
    created_at = models.DateTimeField(db_default=Now())

    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    due_at = models.DateTimeField(null=True)
    token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    worker = models.CharField(max_length=100, blank=True, db_default="")
    started_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(db_default=0)
    waits = models.PositiveIntegerField(db_default=0)
    waiting_since = models.DateTimeField(null=True)
    waiting_for = models.CharField(max_length=10, choices=WaitingFor.choices, blank=True, db_default="")
    handled_at = models.DateTimeField(null=True)

    reason = models.CharField(max_length=20, choices=Reason.choices, blank=True, db_default="")
    error_type = models.CharField(max_length=200, blank=True, db_default="")
    error_message = models.TextField(blank=True, db_default="")
    error_traceback = models.TextField(blank=True, db_default="")
    fingerprint = models.CharField(max_length=16, blank=True, db_default="")
    edited_data = models.JSONField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["event", "handler"], name="delivery_once_per_handler"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="delivery_state_known"),
            models.CheckConstraint(
                condition=(IN_FLIGHT & Q(token__isnull=False, lease_until__isnull=False))
                | (~IN_FLIGHT & Q(token__isnull=True, lease_until__isnull=True)),
                name="delivery_token_only_in_flight",
            ),
            models.CheckConstraint(
                condition=(Q(state=State.DEAD) & ~Q(reason="")) | (~Q(state=State.DEAD) & Q(reason="")),
                name="delivery_reason_only_when_dead",
            ),
            models.CheckConstraint(
                condition=(OVER & Q(handled_at__isnull=False)) | (~OVER & Q(handled_at__isnull=True)),
                name="delivery_handled_at_once_over",
            ),
        ]
        indexes = [
            models.Index(
                fields=["queue", "due_at"],
                name="delivery_due",
                condition=Q(state=State.PENDING, due_at__isnull=False),
            ),
            models.Index(fields=["id"], name="delivery_parked", condition=Q(state=State.PENDING, due_at__isnull=True)),
            models.Index(fields=["queue", "lease_until"], name="delivery_in_flight", condition=IN_FLIGHT),
            models.Index(
                fields=["subject", "consumer", "sequence", "handler"], name="delivery_holds", condition=UNDONE
            ),
            models.Index(fields=["consumer", "handler", "id"], name="delivery_dead", condition=Q(state=State.DEAD)),
            models.Index(fields=["id"], name="delivery_letter", condition=LETTER),
            models.Index(fields=["handled_at"], name="delivery_done", condition=Q(state=State.DONE)),
            models.Index(fields=["handled_at"], name="delivery_died", condition=Q(state=State.DEAD)),
        ]

    def __str__(self) -> str:
        return f"{self.handler} {self.id}"

    @property
    def last_error(self) -> tuple[str, str]:
        """The type and the message of what went wrong last; empty once it is done. Failed attempts keep theirs."""
        return ("", "") if self.state == State.DONE else (self.error_type, self.error_message)


class DeadLetter(Delivery):
    """A delivery that waits for a person to decide."""

    class Meta:
        proxy = True
        permissions = [
            ("decide_deadletter", "Can replay and discard dead letters"),
            ("edit_deadletter", "Can edit the data of dead letters and replay them"),
        ]


class Decision(models.Model):
    """What a person did about a dead letter. Append-only."""

    class Action(models.TextChoices):
        REPLAY = "replay"
        DISCARD = "discard"

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="decisions")
    action = models.CharField(max_length=10, choices=Action.choices)
    by = models.CharField(max_length=200)
    reason = models.TextField(blank=True)
    at = models.DateTimeField(db_default=Now())
    # When the letter had died: a replay clears the delivery's handled_at. NULL: decided by a release that kept none.
    died_at = models.DateTimeField(null=True)

    class Meta:
        ordering = [F("id").asc()]
        indexes = [
            models.Index(fields=["at"], name="decision_at"),
            models.Index(fields=["died_at"], name="decision_died_at"),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.by}"


class Note(models.Model):
    """What a person wrote down about a dead letter. Append-only."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="notes")
    by = models.CharField(max_length=200)
    at = models.DateTimeField(db_default=Now())
    text = models.TextField()

    class Meta:
        ordering = [F("id").asc()]

    def __str__(self) -> str:
        return f"note by {self.by}"


class FailedAttempt(models.Model):
    """An attempt that counted and failed: when, where, and of what. Written with the change of the delivery's state.

    What waited for a dependency that was away is no attempt, so there are at most `max_attempts` for each replay.
    """

    id = models.BigAutoField(primary_key=True)
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="failed_attempts")
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(db_default=Now())
    worker = models.CharField(max_length=100)
    error_type = models.CharField(max_length=200)
    error_message = models.TextField()

    class Meta:
        ordering = [F("id").asc()]
        indexes = [models.Index(fields=["ended_at"], name="failed_attempt_ended")]

    def __str__(self) -> str:
        return f"attempt {self.number} on {self.worker}"


class UnusableMessage(models.Model):
    """A message that the broker gave a worker and no worker can use, kept as it came. Nothing in it is executed."""

    class Problem(models.TextChoices):
        NOT_JSON = "not_json", "not JSON"
        NOT_A_MESSAGE = "not_a_message", "not a message"
        UNREADABLE_BODY = "unreadable_body", "unreadable body"
        UNKNOWN_TASK = "unknown_task", "unknown task"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    received_at = models.DateTimeField(db_default=Now())
    queue = models.CharField(max_length=100)
    worker = models.CharField(max_length=100)
    problem = models.CharField(max_length=20, choices=Problem.choices)
    detail = models.TextField(blank=True)
    raw = models.TextField()
    size = models.PositiveIntegerField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(problem__in=["not_json", "not_a_message", "unreadable_body", "unknown_task"]),
                name="unusable_problem_known",
            )
        ]

    def __str__(self) -> str:
        return f"{self.problem} in {self.queue}"


class Tally(models.Model):
    """How often something happened on the bus in a minute, in an hour, or ever; written by tally.py alone.

    `what` happened to `name`: an event type was published; a handler's deliveries were done, died, were replayed or
    discarded, an attempt failed, a lease ran out; or, of a queue, the highest backlog that was seen. Of what was done:
    the seconds from the commit of the event, and from the start, both also by bucket (tally.BOUNDS).
    """

    grain = models.CharField(max_length=6)
    at = models.DateTimeField()
    what = models.CharField(max_length=10)
    name = models.CharField(max_length=100)
    count = models.BigIntegerField()
    waited_seconds = models.FloatField(db_default=0.0)
    ran_seconds = models.FloatField(db_default=0.0)
    waited = ArrayField(models.BigIntegerField(), null=True)
    ran = ArrayField(models.BigIntegerField(), null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["grain", "at", "what", "name"], name="tally_once")]

    def __str__(self) -> str:
        return f"{self.what} {self.name} {self.at}"


class PurgeMark(models.Model):
    """How far the purge has come: nothing of an event that is younger than `until` has been deleted.

    Written in the transaction of each chunk that the purge deletes. No row: nothing was ever purged.
    """

    class What(models.TextChoices):
        DELIVERIES = "deliveries"
        EVENTS = "events"

    what = models.CharField(primary_key=True, max_length=10, choices=What.choices)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.what} {self.until}"


class TallyMark(models.Model):
    """Until when the tallies count: one row, which the relay that counts holds meanwhile."""

    until = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return str(self.until)
