from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # so that sales go on while the indexes are built

    dependencies = [("inventory", "0002_append_only_movements")]

    operations = [
        AddIndexConcurrently("product", models.Index(fields=["name", "id"], name="product_by_name")),
        AddIndexConcurrently("product", models.Index(fields=["price", "id"], name="product_by_price")),
    ]
