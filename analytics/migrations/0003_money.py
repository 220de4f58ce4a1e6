"""Amounts with the decimals of their currency: the columns have none of their own any more, so nothing is rewritten."""

from django.db import migrations

import values.money


class Migration(migrations.Migration):
    dependencies = [("analytics", "0002_reports")]
    operations = [
        migrations.AlterField(name, "amount", values.money.MoneyField(currency="currency", default=0, max_digits=22))
        for name in ("dailyproductsales", "dailysales")
    ]
