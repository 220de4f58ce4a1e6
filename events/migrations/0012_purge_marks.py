"""How far the purge has come.

A database from before this table has been purged by settings that nobody wrote down. So it is marked as far as its
purge may have come. The purge deletes what was handled first before what was handled later, and a delivery is handled
after its event: nothing of an event that is younger than the oldest done delivery is gone. Where no done delivery is
left, everything may be gone. Events go after all their deliveries, so no further; where every counter still has an
event, none has gone.
"""

from django.db import migrations, models

MARK = """
WITH purged AS (
    SELECT coalesce((SELECT min(handled_at) FROM events_delivery WHERE state = 'done'), now()) AS until
    WHERE EXISTS (SELECT FROM events_subjectcounter)
)
INSERT INTO events_purgemark (what, until)
SELECT 'deliveries', until FROM purged
UNION ALL
SELECT 'events', until FROM purged
WHERE EXISTS (
    SELECT FROM events_subjectcounter c WHERE NOT EXISTS (SELECT FROM events_event e WHERE e.subject = c.subject))
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0011_stored_answers")]
    operations = [
        migrations.CreateModel(
            "PurgeMark",
            [
                (
                    "what",
                    models.CharField(
                        choices=[("deliveries", "Deliveries"), ("events", "Events")],
                        max_length=10,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("until", models.DateTimeField()),
            ],
        ),
        migrations.RunSQL(MARK, migrations.RunSQL.noop),
    ]
