"""What is represented by functions made once is what DRF's own serializers show."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from rest_framework import serializers

from orders.models import Order
from orders.serializers import OrderSerializer
from rest.serialization import represent, represent_all
from testing.api import make_user
from testing.shop import make_product, place


class Inner(serializers.Serializer[Any]):
    size = serializers.IntegerField(allow_null=True)
    price = serializers.DecimalField(max_digits=8, decimal_places=2)


class Shouting(Inner):
    def to_representation(self, instance: Any) -> Any:
        return {name.upper(): value for name, value in super().to_representation(instance).items()}


class Outer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    kind = serializers.ChoiceField(choices=["big", "small"])
    called = serializers.CharField(source="name")
    deep = serializers.CharField(source="inner.name")
    made = serializers.CharField(source="make")
    absent = serializers.CharField(required=False)
    given = serializers.CharField(default="so")
    secret = serializers.CharField(write_only=True)
    double = serializers.SerializerMethodField()
    whole = serializers.CharField(source="*")
    inner = Inner()
    nothing = Inner(allow_null=True)
    several = Inner(many=True)
    loud = Shouting(source="inner")
    tags = serializers.ListField(child=serializers.IntegerField())

    def get_double(self, instance: Any) -> int:
        number: int = instance["number"] if isinstance(instance, dict) else instance.number
        return 2 * number


def facts() -> dict[str, Any]:
    inner = {"size": None, "price": Decimal("1.5"), "name": "within"}
    return {
        "id": uuid4(),
        "at": datetime(2026, 1, 5, 9, 30, tzinfo=UTC),
        "kind": "small",
        "name": "Cup",
        "make": lambda: "called for",
        "number": 4,
        "inner": inner,
        "nothing": None,
        "several": [inner, {"size": "3", "price": "2"}],
        "tags": ["1", 2],
    }


def as_object(value: Any) -> Any:
    if isinstance(value, dict):
        return SimpleNamespace(**{name: as_object(one) for name, one in value.items()})
    return [as_object(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("form", [dict, as_object])
def test_it_is_what_drf_shows(form: Callable[[Any], Any]) -> None:
    instance = form(facts())
    assert represent(Outer, instance) == Outer(instance).data
    assert list(represent(Outer, instance)) == list(Outer(instance).data)
    assert represent_all(Outer, [instance, instance]) == list(Outer([instance, instance], many=True).data)


def test_what_is_missing_is_an_error_as_it_is_of_drf() -> None:
    instance = as_object(facts())
    del instance.kind
    with pytest.raises(AttributeError, match="kind"):
        represent(Outer, instance)


@pytest.mark.django_db
def test_rows_with_rows_of_their_own_are_shown_too() -> None:
    an_order()
    for order in Order.objects.all(), Order.objects.prefetch_related("lines"):
        assert represent_all(OrderSerializer, order) == list(OrderSerializer(order, many=True).data)


class OfAUser(serializers.ModelSerializer[Order]):
    class Meta:
        model = Order
        fields = ["number", "user"]


@pytest.mark.django_db
def test_a_key_of_another_row_is_shown_by_drf_itself() -> None:
    order = an_order()
    assert represent(OfAUser, order) == OfAUser(order).data == {"number": order.number, "user": order.user_id}


def an_order() -> Order:
    make_product("CUP")
    make_product("POT")
    return place(make_user(), CUP=2, POT=1)
