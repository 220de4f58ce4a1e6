"""The index that delivery_holds takes the place of.

While it was there, PostgreSQL read the whole of it for what is due, whenever its statistics were of a quiet moment.
"""

from django.contrib.postgres.operations import RemoveIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("events", "0006_what_holds_by_handled_at")]
    operations = [RemoveIndexConcurrently(model_name="delivery", name="delivery_undone")]
