"""Every mail, as a row that is committed before it is sent."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7


class Notification(models.Model):
    """A mail to one person about one event. Its Message-ID follows from its id, so a second copy is told as such.

    `user_id` is null where the person has no account: an address of the settings.
    """

    class State(models.TextChoices):
        PENDING = "pending"
        SENT = "sent"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    event_id = models.UUIDField()
    template = models.CharField(max_length=50)
    user_id = models.UUIDField(null=True)
    recipient = models.EmailField(max_length=254)
    subject = models.CharField(max_length=200)
    text = models.TextField()
    html = models.TextField()
    correlation_id = models.CharField(max_length=128, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["user_id"], name="notification_user")]
        constraints = [
            models.UniqueConstraint(fields=["event_id", "template"], name="notification_once_per_event"),
            models.CheckConstraint(condition=Q(state__in=["pending", "sent"]), name="notification_state_known"),
        ]

    def __str__(self) -> str:
        return f"{self.template} {self.id}"

    @property
    def message_id(self) -> str:
        return f"<{self.id}@ordersite>"
