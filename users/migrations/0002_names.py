from django.db import migrations, models

from values.names import validate_name


class Migration(migrations.Migration):
    """What forms refuse; the column stays as it is."""

    dependencies = [("users", "0001_initial")]

    operations = [
        migrations.AlterField(
            "user", "full_name", models.CharField(blank=True, max_length=150, validators=[validate_name])
        ),
    ]
