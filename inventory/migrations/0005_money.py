"""Prices with the decimals of their currency: the column has none of its own any more, so nothing is rewritten."""

import django.core.validators
from django.db import migrations, models

import values.money


class Migration(migrations.Migration):
    dependencies = [("inventory", "0004_movements_by_time")]
    operations = [
        migrations.AlterField(
            model_name="product",
            name="currency",
            field=models.CharField(default="EUR", max_length=3, validators=[values.money.validate_currency]),
        ),
        migrations.AlterField(
            model_name="product",
            name="price",
            field=values.money.MoneyField(
                currency="currency", max_digits=12, validators=[django.core.validators.MinValueValidator(0)]
            ),
        ),
    ]
