from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # so that sales go on while the index is built

    dependencies = [("inventory", "0003_product_orderings")]

    operations = [AddIndexConcurrently("movement", models.Index(fields=["at", "id"], name="movement_by_time"))]
