from datetime import timedelta

import pytest

from events import commit_horizon
from events.commit_horizon import is_settled, now
from events.tests.servers import a_transaction

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_moment_is_settled_when_all_transactions_from_before_it_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_horizon, "MARGIN", 0.0)
    before = now()
    with a_transaction() as other:
        after = now()
        assert is_settled(before)
        assert not is_settled(after)
        other.commit()
        assert is_settled(after)


def test_a_transaction_that_is_older_than_ours_ever_are_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_horizon, "MARGIN", 0.0)
    monkeypatch.setattr(commit_horizon, "longest_transaction", lambda: 0)
    with a_transaction():
        assert is_settled(now())


def test_a_moment_of_just_now_is_not_settled() -> None:
    assert not is_settled(now())
    assert is_settled(now() - timedelta(seconds=commit_horizon.MARGIN * 2))
