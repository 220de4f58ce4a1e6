"""Money: the currencies of ISO 4217, each with its own number of decimals.

Amounts are kept, and shown, with exactly the decimals of their currency: 99.99 EUR, 100 JPY, 1.230 KWD. Codes without
a number of decimals (gold, XXX, XTS) are no currencies that anybody pays in, and are refused.
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from iso4217 import Currency
from rest_framework import serializers
from rest_framework.fields import get_attribute

DECIMALS: Mapping[str, int] = {one.code: one.exponent for one in Currency if one.exponent is not None}
MOST_DECIMALS = max(DECIMALS.values())
OTHERWISE = 2  # decimals of a currency that is not in the list any more: products and orders outlive currencies


def validate_currency(code: str) -> None:
    """Raise ValidationError for what is not the code of a currency that has a number of decimals."""
    if code not in DECIMALS:
        raise ValidationError(f"{code} is not a currency of ISO 4217 that prices can be in.", code="unknown_currency")


def validate_decimals(amount: Decimal, currency: str) -> None:
    """Raise ValidationError for an amount with more decimals than its currency has."""
    most, given = decimals_of(currency), -int(amount.as_tuple().exponent)
    if given > most:
        raise ValidationError(f"Ensure that there are no more than {most} decimal places.", code="too_many_decimals")


def in_currency(amount: Decimal, currency: str) -> Decimal:
    """Return the amount with exactly the decimals of its currency; one with more, as no new amount has, as it is."""
    exact = amount.quantize(_smallest(currency))
    return exact if exact == amount else amount


@cache
def _smallest(currency: str) -> Decimal:
    """Return the smallest amount of a currency."""
    return Decimal(1).scaleb(-decimals_of(currency))


def decimals_of(currency: str) -> int:
    return DECIMALS.get(currency, OTHERWISE)


class MoneyField(models.DecimalField[Decimal | int | str, Decimal]):
    """An amount in the currency that `currency` leads to, from the instance. It is saved with that one's decimals.

    The column has no number of decimals of its own, and keeps those of each amount.
    """

    def __init__(self, *args: Any, currency: str = "currency", **options: Any) -> None:
        self.currency = currency
        super().__init__(*args, **options)

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        return name, path, args, options | {"currency": self.currency}

    def db_type(self, connection: Any) -> str:
        return "numeric"

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Return the amount as it is saved, which the instance has from now on. Raises ValidationError."""
        amount = self.to_python(super().pre_save(model_instance, add))
        if amount is not None:
            code = attrgetter(self.currency)(model_instance)
            validate_decimals(amount.normalize(), code)
            amount = in_currency(amount, code)
            setattr(model_instance, self.attname, amount)
        return amount

    def _check_decimal_places(self) -> list[Any]:
        return []

    def _check_decimal_places_and_max_digits(self, **options: Any) -> list[Any]:
        return []


class AmountField(serializers.DecimalField):
    """An amount that a client gives, with as many decimals as any currency has: validate_decimals() tells the rest."""

    def __init__(self, *, whole_digits: int = 8, **options: Any) -> None:
        digits = whole_digits + MOST_DECIMALS
        super().__init__(max_digits=digits, decimal_places=MOST_DECIMALS, min_value=Decimal(0), **options)

    def quantize(self, value: Decimal) -> Decimal:
        return value  # with the decimals that were given


class MoneyText(serializers.ReadOnlyField):
    """An amount as a string, in the currency that `currency` leads to, from the instance or mapping."""

    def __init__(self, *, currency: str = "currency", **options: Any) -> None:
        self._currency = currency
        super().__init__(**options)

    def bind(self, field_name: str, parent: Any) -> None:
        super().bind(field_name, parent)
        self._both = attrgetter(self.source or field_name, self._currency)

    def get_attribute(self, instance: Any) -> str:
        try:
            amount, code = self._both(instance)
        except AttributeError:
            amount = get_attribute(instance, self.source_attrs)
            code = get_attribute(instance, self._currency.split("."))
        return f"{in_currency(amount, code):f}"
