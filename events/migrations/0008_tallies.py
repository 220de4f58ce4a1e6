"""What happened on the bus, counted; and the indexes by which the relay finds what to count."""

import django.contrib.postgres.fields
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Now


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("events", "0007_contract_delivery_undone")]
    operations = [
        migrations.CreateModel(
            "Tally",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("grain", models.CharField(max_length=6)),
                ("at", models.DateTimeField()),
                ("what", models.CharField(max_length=10)),
                ("name", models.CharField(max_length=100)),
                ("count", models.BigIntegerField()),
                ("waited_seconds", models.FloatField(db_default=0.0)),
                ("ran_seconds", models.FloatField(db_default=0.0)),
                (
                    "waited",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), null=True, size=None
                    ),
                ),
                (
                    "ran",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), null=True, size=None
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["grain", "at", "what", "name"], name="tally_once"),
                ]
            },
        ),
        # Rows of the present minute and hour change every few seconds: room for that on their page.
        migrations.RunSQL("ALTER TABLE events_tally SET (fillfactor = 50)", migrations.RunSQL.noop),
        migrations.CreateModel(
            "TallyMark",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("until", models.DateTimeField(db_default=Now())),
            ],
        ),
        AddIndexConcurrently("decision", models.Index(fields=["at"], name="decision_at")),
        AddIndexConcurrently("failedattempt", models.Index(fields=["ended_at"], name="failed_attempt_ended")),
        AddIndexConcurrently(
            "delivery", models.Index(fields=["handled_at"], name="delivery_died", condition=Q(state="dead"))
        ),
    ]
