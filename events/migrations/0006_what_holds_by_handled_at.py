"""The index of what holds back later deliveries, by handled_at in place of the state (events/sql.py says why)."""

from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models

OVER_IN = ("state__in", ["done", "dead", "discarded"])


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("events", "0005_storage")]
    operations = [
        AddConstraintNotValid(
            model_name="delivery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(OVER_IN, ("handled_at__isnull", False)),
                    models.Q(models.Q(OVER_IN, _negated=True), ("handled_at__isnull", True)),
                    _connector="OR",
                ),
                name="delivery_handled_at_once_over",
            ),
        ),
        ValidateConstraint(model_name="delivery", name="delivery_handled_at_once_over"),
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(
                    ("handled_at__isnull", True),
                    models.Q(("dead_holds", True), ("state", "dead")),
                    _connector="OR",
                ),
                fields=["subject", "consumer", "sequence", "handler"],
                name="delivery_holds",
            ),
        ),
    ]
