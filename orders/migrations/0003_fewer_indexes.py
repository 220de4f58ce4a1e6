"""Indexes that another one makes needless: each order wrote them, and nothing read them.

order_of_user, line_once_per_sku and answer_once_per_key begin with the column of a foreign key, so Django's index of
the key itself is one more to keep. That of LIKE on the number (varchar_pattern_ops) served no query.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def drop(index: str, table: str, columns: str) -> migrations.RunSQL:
    """Return the operation that drops an index while writes go on."""
    return migrations.RunSQL(
        f"DROP INDEX CONCURRENTLY IF EXISTS {index}", f"CREATE INDEX CONCURRENTLY {index} ON {table} ({columns})"
    )


def needless(model: str, field: str, index: str, key: "models.ForeignKey[object, object]") -> list[object]:
    """Return the operation that drops a foreign key's own index."""
    return [
        migrations.SeparateDatabaseAndState(
            database_operations=[drop(index, f"orders_{model}", f"{field}_id")],
            state_operations=[migrations.AlterField(model, field, key)],
        )
    ]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0002_state_machine"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        *needless(
            "order",
            "user",
            "orders_order_user_id_e9b59eb1",
            models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="orders",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        *needless(
            "orderline",
            "order",
            "orders_orderline_order_id_17f8f3ef",
            models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="lines",
                to="orders.order",
            ),
        ),
        *needless(
            "storedanswer",
            "user",
            "orders_storedanswer_user_id_0f3c09c5",
            models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        drop("orders_order_number_abc9e0f2_like", "orders_order", "number varchar_pattern_ops"),
    ]
