from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """An index for the pages of the dead letters, made without keeping anybody from writing."""

    atomic = False
    dependencies = [("events", "0002_failed_attempts_and_unusable_messages")]

    operations = [
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                fields=["id"], name="delivery_letter", condition=models.Q(("state__in", ["dead", "discarded"]))
            ),
        ),
    ]
