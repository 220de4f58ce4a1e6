from collections import Counter
from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from events.models import Delivery, Event
from inventory.models import Product, StockItem
from inventory.selectors import stock_violations
from notifications.models import Notification
from orders.models import Order
from ordersite import demo
from users.models import User
from users.services import sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def embedded(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings.EMBEDDED = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    monkeypatch.delenv("DEMO_PASSWORD", raising=False)
    return settings


def load(*arguments: str) -> str:
    out = StringIO()
    call_command("load_demo", *arguments, stdout=out)
    return out.getvalue().strip()


def counts() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in (User, Product, StockItem, Order, Event)}


def test_a_real_database_is_left_alone(embedded: Any) -> None:
    embedded.EMBEDDED = False
    with pytest.raises(CommandError, match="--yes-on-a-real-database"):
        load()
    assert set(counts().values()) == {0}


def test_it_loads_fifty_products_the_people_and_thirty_orders() -> None:
    assert load() == "demo shop: 50 products, 3 customers, 30 new orders"
    told = counts()
    assert told.pop("Event") > 3 + 30
    assert told == {"User": 9, "Product": 50, "StockItem": 50, "Order": 30}
    assert StockItem.objects.get(product__sku=demo.SCARCE_SKU).on_hand == demo.SCARCE_PIECES


def test_the_shop_is_at_rest_with_orders_of_several_fates() -> None:
    load()
    assert Counter(Order.objects.values_list("status", flat=True)) == {"confirmed": 26, "rejected": 2, "cancelled": 2}
    assert not Delivery.objects.exclude(state="done").exists()
    assert not Notification.objects.exclude(state="sent").exists()
    assert stock_violations() == []


@pytest.mark.parametrize("names", ["TEAM", "CUSTOMERS", "PRODUCTS"])
def test_a_name_that_is_more_than_a_line_of_text_is_not_loaded(monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    key, _, *rest = getattr(demo, names)[0]
    monkeypatch.setattr(demo, names, [(key, "a name\nand a line", *rest)])
    with pytest.raises(ValidationError, match="one line"):
        load()


def test_on_a_real_database_the_orders_are_left_to_the_workers(embedded: Any) -> None:
    embedded.EMBEDDED = False
    load("--yes-on-a-real-database")
    assert Counter(Order.objects.values_list("status", flat=True)) == {"pending": 28, "cancelled": 2}
    assert not Delivery.objects.exclude(state="pending").exists()


def test_it_is_safe_to_repeat() -> None:
    load()
    before = counts()
    assert load() == "demo shop: 50 products, 3 customers, 0 new orders"
    assert counts() == before


def test_it_goes_on_where_it_was_interrupted_and_keeps_what_was_changed() -> None:
    load()
    Product.objects.filter(sku="TEA-ASSAM-100").update(name="Assam, my own")
    User.objects.filter(email="ada@example.com").update(full_name="Ada King")
    Order.objects.filter(pk__in=Order.objects.order_by("-id").values("pk")[:10]).delete()
    assert "10 new orders" in load()
    assert Order.objects.count() == 30
    assert Product.objects.get(sku="TEA-ASSAM-100").name == "Assam, my own"
    assert User.objects.get(email="ada@example.com").full_name == "Ada King"


@pytest.mark.parametrize("password", ["demo-password", "another one"])
def test_the_people_can_sign_in(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    if password != "demo-password":
        monkeypatch.setenv("DEMO_PASSWORD", password)
    load()
    for email in ("admin@example.com", "operator@example.com", "ada@example.com"):
        assert sign_in(email=email, password=password).token
    staff = User.objects.filter(is_staff=True).values_list("email", "groups__name", "is_superuser")
    assert set(staff) == {
        ("admin@example.com", None, True),
        ("viewer@example.com", "viewer", False),
        ("clerk@example.com", "order clerk", False),
        ("keeper@example.com", "stock keeper", False),
        ("operator@example.com", "operator", False),
        ("analyst@example.com", "analyst", False),
    }
    assert User.objects.filter(is_staff=False).count() == 3
