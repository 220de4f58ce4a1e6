"""Notes on dead letters, when a letter had died that was decided about, and who may edit one."""

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("events", "0008_tallies")]
    operations = [
        migrations.AlterModelOptions(
            name="deadletter",
            options={
                "permissions": [
                    ("decide_deadletter", "Can replay and discard dead letters"),
                    ("edit_deadletter", "Can edit the data of dead letters and replay them"),
                ]
            },
        ),
        migrations.AddField(model_name="decision", name="died_at", field=models.DateTimeField(null=True)),
        AddIndexConcurrently(model_name="decision", index=models.Index(fields=["died_at"], name="decision_died_at")),
        migrations.CreateModel(
            name="Note",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("by", models.CharField(max_length=200)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("text", models.TextField()),
                (
                    "delivery",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="notes", to="events.delivery"
                    ),
                ),
            ],
            options={
                "ordering": [
                    django.db.models.expressions.OrderBy(django.db.models.expressions.F("id"), descending=False)
                ],
            },
        ),
    ]
