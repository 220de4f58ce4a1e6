"""The context of the trace that an event belongs to. Its default is the table's, so no row is written."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("events", "0009_notes_and_died_at")]
    operations = [
        migrations.AddField(
            model_name="event",
            name="traceparent",
            field=models.CharField(blank=True, db_default="", max_length=55),
        )
    ]
