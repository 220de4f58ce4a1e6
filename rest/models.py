"""The answers that are kept for idempotency keys."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class StoredAnswer(models.Model):
    """The answer that was given under an idempotency key, byte for byte, written in the transaction of the change."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(  # its index is answer_once_per_key
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    route = models.CharField(max_length=100)
    key = models.CharField(max_length=255)
    body_hash = models.CharField(max_length=64)
    status_code = models.PositiveSmallIntegerField()
    location = models.CharField(max_length=200)
    body = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        db_table = "orders_storedanswer"  # keys were for orders alone at first
        constraints = [models.UniqueConstraint(fields=["user", "route", "key"], name="answer_once_per_key")]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"
