"""Builds an index beside traffic, after all that there is."""

from pathlib import Path

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from notifications import migrations as present

LAST = max(file.stem for file in Path(present.__path__[0]).glob("0*.py"))


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("notifications", LAST)]
    operations = [AddIndexConcurrently("notification", models.Index(fields=["recipient"], name="later_index"))]
