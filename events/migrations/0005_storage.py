"""How PostgreSQL keeps the tables that are written most: one needless index less, room for updates, and vacuum in time.

delivery_once_per_handler begins with the event, so the foreign key's own index is one more to keep. A counter is
updated within the second: with half of a page free the new version stays on it, and its index as it is (HOT).
Autovacuum's default, a fifth of the table, would be 800,000 dead rows of four million deliveries.
"""

import django.db.models.deletion
from django.db import migrations, models

VACUUM = "autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02"
RESET = "autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor"


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("events", "0004_batches")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS events_delivery_event_id_c08f510e",
                    "CREATE INDEX CONCURRENTLY events_delivery_event_id_c08f510e ON events_delivery (event_id)",
                )
            ],
            state_operations=[
                migrations.AlterField(
                    "delivery",
                    "event",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deliveries",
                        to="events.event",
                    ),
                )
            ],
        ),
        migrations.RunSQL(
            f"ALTER TABLE events_delivery SET ({VACUUM})", f"ALTER TABLE events_delivery RESET ({RESET})"
        ),
        migrations.RunSQL(
            f"ALTER TABLE events_subjectcounter SET (fillfactor = 50, {VACUUM})",
            f"ALTER TABLE events_subjectcounter RESET (fillfactor, {RESET})",
        ),
    ]
