"""The mails to a customer are found by an index: the admin leads to them from the customer's page."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("notifications", "0002_room_for_updates")]
    operations = [
        AddIndexConcurrently(
            model_name="notification", index=models.Index(fields=["user_id"], name="notification_user")
        ),
    ]
