"""The rows from before 0005 are checked, while traffic goes on."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0005_money")]
    operations = [ValidateConstraint("order", "order_total_not_negative")]
