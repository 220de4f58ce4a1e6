"""Amounts with the decimals of their currency: the columns have none of their own any more, so nothing is rewritten.

The check on the total would be made again for all rows, under a lock that stops orders. So it goes, and comes back
for new rows alone; 0006 has the old ones checked.
"""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

import values.money


class Migration(migrations.Migration):
    dependencies = [("orders", "0004_stored_answers_move")]
    operations = [
        migrations.RemoveConstraint("order", "order_total_not_negative"),
        migrations.AlterField("order", "total", values.money.MoneyField(currency="currency", max_digits=18)),
        AddConstraintNotValid(
            "order", models.CheckConstraint(condition=models.Q(total__gte=0), name="order_total_not_negative")
        ),
        migrations.AlterField(
            "orderline", "line_total", values.money.MoneyField(currency="order.currency", max_digits=16)
        ),
        migrations.AlterField(
            "orderline", "unit_price", values.money.MoneyField(currency="order.currency", max_digits=12)
        ),
    ]
