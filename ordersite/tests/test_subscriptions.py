"""The map from events to handlers is public: what is subscribed where is promised to operators and readers."""

from typing import Any

import pytest

from events.handlers import Handler, Shape
from events.subscriptions import the_map
from events.types import EventData, event_type
from ordersite.celery import app
from ordersite.subscriptions import COMPENSATIONS, CONSUMERS, SUBSCRIPTIONS

PROMISED = {
    "user.created.v1": {"notifications.send_welcome"},
    "order.created.v1": {
        "inventory.reserve_items",
        "notifications.send_order_received",
        "analytics.track_order",
    },
    "stock.reserved.v1": {"orders.confirm"},
    "stock.rejected.v1": {"orders.reject"},
    "order.confirmed.v1": {"notifications.send_order_confirmed", "analytics.track_order"},
    "order.rejected.v1": {"notifications.send_order_rejected", "analytics.track_order"},
    "order.cancelled.v1": {
        "inventory.release_items",
        "notifications.send_order_cancelled",
        "analytics.track_order",
    },
    "order.fulfilled.v1": {"inventory.ship_items", "notifications.send_order_fulfilled", "analytics.track_order"},
    "report.requested.v1": {"reports.build"},
    "sales.day_ended.v1": {"notifications.send_sales_summary"},
}
# Fields of the data that readers count on; what is added later stands here too.
ORDER = {"order_id", "number", "user_id", "currency", "total", "items"}
FIELDS = {
    "user.created.v1": {"user_id"},
    "order.created.v1": ORDER,
    "stock.reserved.v1": {"order_id"},
    "stock.rejected.v1": {"order_id", "shortages"},
    "order.confirmed.v1": ORDER,
    "order.rejected.v1": ORDER | {"reason"},
    "order.cancelled.v1": ORDER | {"reason"},
    "order.fulfilled.v1": ORDER,
    "report.requested.v1": {"report_id"},
    "sales.day_ended.v1": {"summary_id", "day", "figures", "products"},
}
# Handlers whose tasks keep a result: somebody asks how far they are.
ASKED_ABOUT = {"reports.build"}
HANDLERS = sorted({handler for handlers in SUBSCRIPTIONS.values() for handler in handlers}, key=lambda h: h.name)


def all_types() -> list[type[EventData]]:
    """Every event type of the shop that has a name; tests declare some of their own."""

    def below(kind: type[Any]) -> list[type[Any]]:
        return [kind, *(deeper for child in kind.__subclasses__() for deeper in below(child))]

    return [kind for kind in below(EventData) if "type" in vars(kind) and kind.__module__.startswith("eventtypes.")]


def test_each_event_goes_to_the_handlers_that_are_promised() -> None:
    told = {kind.type: {handler.name for handler in the_map().handlers(kind)} for kind in all_types()}
    assert {name: told.get(name) for name in PROMISED} == PROMISED


def test_every_event_type_of_the_shop_is_in_the_map() -> None:
    assert set(all_types()) == set(SUBSCRIPTIONS)
    assert all(event_type(kind.type) is kind for kind in all_types())


@pytest.mark.parametrize("name", FIELDS)
def test_the_data_of_an_event_have_the_fields_that_are_promised(name: str) -> None:
    assert set(event_type(name).model_fields) == FIELDS[name]


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda handler: handler.name)
def test_every_handler_is_a_celery_task_with_limits_within_its_lease(handler: Handler) -> None:
    app.loader.import_default_modules()
    task: Any = app.tasks[handler.name]
    assert handler.consumer == handler.name.split(".")[0]
    assert handler.consumer in CONSUMERS
    assert task.ignore_result is not (handler.name in ASKED_ABOUT)
    assert not task.acks_late
    limits = handler.policy.limits
    assert task.soft_time_limit < task.time_limit
    # A longer one needs the lease renewed, which only handlers that act outside the database have.
    assert task.time_limit < limits.lease or handler.shape is Shape.OUTSIDE
    assert task.__doc__


def test_a_handler_has_one_name_and_stands_once_with_an_event() -> None:
    assert len({handler.name for handler in HANDLERS}) == len(HANDLERS)
    for handlers in SUBSCRIPTIONS.values():
        assert len({handler.name for handler in handlers}) == len(handlers)


def test_a_dead_letter_holds_back_what_needs_its_order_and_passes_by_where_promised() -> None:
    held = {name: consumer.dead_holds for name, consumer in CONSUMERS.items()}
    promised = {"inventory": True, "orders": True, "notifications": False, "analytics": False, "reports": False}
    assert {name: held[name] for name in promised} == promised


def test_mails_act_outside_and_the_books_in_the_transaction() -> None:
    shapes = {handler.name: handler.shape for handler in HANDLERS}
    for name, shape in shapes.items():
        if name.startswith("notifications."):
            assert shape is Shape.OUTSIDE
        if name.startswith(("inventory.", "orders.", "analytics.")):
            assert shape is Shape.EFFECT


def test_every_step_that_the_books_need_has_a_compensation() -> None:
    books = {handler.name for handler in HANDLERS if handler.consumer in ("inventory", "orders")}
    assert {handler.name for handler in COMPENSATIONS} == books
