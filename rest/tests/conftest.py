from typing import Any

import pytest

from events.broker import connect
from rest.limits import counting
from rest.limits.counters import SharedCounters
from rest.tests.limiting import HOUR, PATIENCE, Limits


@pytest.fixture
def limits(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Limits:
    """limits(user=3): three in an hour."""
    monkeypatch.setattr(counting, "counters", SharedCounters(lambda _: connect(PATIENCE)))

    def set_them(window: int = HOUR, **quotas: int) -> None:
        changed = {name.replace("_", "-"): (quota, window) for name, quota in quotas.items()}
        settings.RATE_LIMITS = settings.RATE_LIMITS | changed

    return set_them
