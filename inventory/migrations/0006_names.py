from django.db import migrations, models

from values.names import validate_name


class Migration(migrations.Migration):
    """What forms refuse; the column stays as it is."""

    dependencies = [("inventory", "0005_money")]

    operations = [
        migrations.AlterField("product", "name", models.CharField(max_length=200, validators=[validate_name])),
    ]
