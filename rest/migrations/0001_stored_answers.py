"""The model of stored answers, with the table that the orders app had for it."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0004_stored_answers_move"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    "StoredAnswer",
                    [
                        (
                            "id",
                            models.BigAutoField(primary_key=True, serialize=False),
                        ),
                        ("route", models.CharField(max_length=100)),
                        ("key", models.CharField(max_length=255)),
                        ("body_hash", models.CharField(max_length=64)),
                        ("status_code", models.PositiveSmallIntegerField()),
                        ("location", models.CharField(max_length=200)),
                        ("body", models.BinaryField()),
                        (
                            "created_at",
                            models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), db_index=True),
                        ),
                        (
                            "user",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "db_table": "orders_storedanswer",
                        "constraints": [
                            models.UniqueConstraint(fields=("user", "route", "key"), name="answer_once_per_key")
                        ],
                    },
                )
            ]
        )
    ]
