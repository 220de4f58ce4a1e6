"""Stored answers become a model of another app (rest/). The table keeps its name: nothing changes in the database."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0003_fewer_indexes")]
    operations = [migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel("StoredAnswer")])]
