from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django_celery_results.models import GroupResult, TaskResult
from knox.models import AuthToken

from analytics.models import DailyProductSales, DailySales
from events import commit_horizon
from events.conf import celery
from events.models import UnusableMessage
from inventory import stock
from inventory.models import Product
from notifications.models import Notification
from testing.admin import bury
from testing.api import admin_client, make_user
from testing.shop import make_product, place
from users.models import User


@pytest.fixture
def broker_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have the site look for its broker at another URL."""
    return lambda url: monkeypatch.setattr(celery().conf, "broker_url", url)


@pytest.fixture
def quick_hasher(settings: Any) -> None:
    """Passwords are hashed as fast as can be: few tests are about how."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second is waited for before a moment counts as settled."""
    monkeypatch.setattr(commit_horizon, "MARGIN", 0.0)


@pytest.fixture
def reports_folder(settings: Any, tmp_path: Path) -> Path:
    """The folder of the reports' files, which nobody else uses."""
    folder = tmp_path / "reports"
    options = {"location": folder}
    settings.STORAGES = settings.STORAGES | {"reports": settings.STORAGES["reports"] | {"OPTIONS": options}}
    return folder


@pytest.fixture
def ada() -> User:
    """A customer."""
    return make_user("ada")


@pytest.fixture
def sam() -> User:
    """One of the staff who may do everything."""
    return make_user("sam", superuser=True)


@pytest.fixture
def cup() -> Product:
    """A product that can be bought."""
    return make_product("CUP")


@pytest.fixture
def boss() -> User:
    return User.objects.create_superuser("boss@example.com")


@pytest.fixture
def browser(boss: User) -> Client:
    return admin_client(boss)


@pytest.fixture
def filled(boss: User) -> None:
    """One row, at least, of everything that the admin shows."""
    make_product("CUP", pieces=10)
    order = place(make_user("ada"), CUP=2)
    stock.reserve({order.id: {"CUP": 2}})
    bury("analytics.track_order")
    Notification.objects.create(
        event_id=uuid4(), template="welcome", user_id=boss.id, recipient="ada@example.com", subject="Welcome",
        text="Hello", html="<p>Hello</p><script>alert(1)</script>",
    )  # fmt: skip
    figures = {"day": "2025-03-01", "currency": "EUR", "status": "pending", "amount": Decimal("7.50")}
    DailySales.objects.create(orders=1, **figures)
    DailyProductSales.objects.create(sku="CUP", quantity=3, **figures)
    UnusableMessage.objects.create(
        queue="orders", worker="orders@here", problem="not_json", detail="Expecting value", raw="<script>", size=8
    )
    Group.objects.create(name="Till")
    AuthToken.objects.create(user=boss)
    TaskResult.objects.create(task_id="t-1", task_name="reports.build", status="SUCCESS")
    GroupResult.objects.create(group_id="g-1", date_created="2025-03-01T00:00:00Z", date_done="2025-03-01T00:00:00Z")
