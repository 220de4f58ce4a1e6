"""The index that delivery_holds takes the place of.

While it was there, PostgreSQL read the whole of it for what is due, whenever its statistics were of a quiet moment.

Code from before 0006 needs it: it came before the first release. Who runs such code migrates to 0006, starts all
processes again with the new code, and then goes on here.
"""

from django.contrib.postgres.operations import RemoveIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("events", "0006_what_holds_by_handled_at")]
    operations = [RemoveIndexConcurrently(model_name="delivery", name="delivery_undone")]
