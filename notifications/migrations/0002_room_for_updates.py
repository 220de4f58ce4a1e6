"""A mail's row is written, and updated once it is sent: with half of a page free the new version stays on it.

Then no index changes (HOT), and the log holds what is different, and not the whole mail again.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("notifications", "0001_initial")]
    operations = [
        migrations.RunSQL(
            "ALTER TABLE notifications_notification SET (fillfactor = 50)",
            "ALTER TABLE notifications_notification RESET (fillfactor)",
        )
    ]
