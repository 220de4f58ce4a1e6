"""Whoever writes about a delivery must have it: its id, and the token of this start."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction

from events.error_text import describe
from events.handling import deliveries, failures
from events.handling.deliveries import Started
from events.models import Delivery, Reason
from events.relaying import claims
from events.tests.helpers import claimed, only, published, start_one
from events.tests.parcels import parcel_packed

pytestmark = pytest.mark.django_db(transaction=True)


def hold(started: Started) -> bool:
    with transaction.atomic():
        return bool(deliveries.hold([started]))


def retry(started: Started) -> bool:
    return failures.retry(started, delay=0, counted=True, error=describe(ValueError()))


def bury(started: Started) -> bool:
    return failures.bury(started, Reason.PERMANENT_ERROR, describe(ValueError()))


def set_aside(started: Started) -> bool:
    told = failures.set_aside(
        started.id, started.token, reason=Reason.NO_SUCH_HANDLER, error=describe(ValueError()), grace=60, delay=60
    )
    return told is not None


def finish(started: Started) -> bool:
    return bool(deliveries.finish([started]))


def give_back_from_a_batch(started: Started) -> bool:
    return deliveries.give_back([started], alone=True) > 0


def renew(started: Started) -> bool:
    return deliveries.renew([started])


AT_WORK = [hold, finish, retry, bury, give_back_from_a_batch, renew]


def started() -> Started:
    published(parcel_packed())
    found = start_one(*claimed(), worker="test", lease=30)
    assert found is not None
    return found


def rows() -> list[tuple[Any, ...]]:
    return list(Delivery.objects.order_by("id").values_list())


@pytest.mark.parametrize("write", [*AT_WORK, set_aside])
def test_with_the_token_of_another_delivery_nothing_is_written(write: Callable[[Started], bool]) -> None:
    one, another = started(), started()
    before = rows()
    assert not write(replace(one, token=another.token))
    assert not write(replace(one, id=another.id))
    assert rows() == before
    assert write(one)


@pytest.mark.parametrize("write", AT_WORK)
def test_with_the_token_of_a_message_nothing_is_written_before_its_start(write: Callable[[Started], bool]) -> None:
    one = started()
    published(parcel_packed())
    delivery_id, token = claimed()
    before = rows()
    assert not write(replace(one, id=delivery_id, token=token))
    assert rows() == before


def test_a_token_starts_its_own_delivery_and_no_other() -> None:
    published(parcel_packed(), parcel_packed())
    claim = claims.claim("sorting", 2)
    assert claim is not None
    one, another = claim.deliveries
    assert start_one(one.id, another.token, worker="test", lease=30) is None
    assert deliveries.start({one.id: another.token, another.id: one.token}, worker="test", lease=30) == []
    assert {delivery.state for delivery in Delivery.objects.filter(queue="sorting")} == {"leased"}
    assert start_one(one.id, one.token, worker="test", lease=30) is not None
    assert only(pk=another.id).state == "leased"
