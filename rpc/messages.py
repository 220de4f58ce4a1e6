"""Rows as the messages of the contract."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from orders.models import Order, StatusChange
from orders.states import Status
from rpc.stubs import orders_v1_pb2 as orders
from rpc.stubs import users_v1_pb2 as users
from users.models import User
from values.money import in_currency

STATUS = {
    Status.PENDING: orders.ORDER_STATUS_PENDING,
    Status.CONFIRMED: orders.ORDER_STATUS_CONFIRMED,
    Status.REJECTED: orders.ORDER_STATUS_REJECTED,
    Status.CANCELLED: orders.ORDER_STATUS_CANCELLED,
    Status.FULFILLED: orders.ORDER_STATUS_FULFILLED,
}


def user_message(user: User) -> users.User:
    return users.User(
        id=str(user.id), email=user.email, full_name=user.full_name, created_at=_timestamp(user.created_at)
    )


def order_message(order: Order) -> orders.Order:
    return orders.Order(
        id=str(order.id),
        number=order.number,
        user_id=str(order.user_id),
        status=STATUS[Status(order.status)],
        currency=order.currency,
        total=str(in_currency(order.total, order.currency)),
        items=[
            orders.OrderItem(
                sku=line.sku,
                name=line.name,
                quantity=line.quantity,
                unit_price=str(in_currency(line.unit_price, order.currency)),
                line_total=str(in_currency(line.line_total, order.currency)),
            )
            for line in order.lines.all()
        ],
        rejection_reason=order.rejection_reason,
        created_at=_timestamp(order.created_at),
        updated_at=_timestamp(order.updated_at),
    )


def step_message(order: Order, step: StatusChange) -> orders.Order:
    """Return the order as a message, as it was after this step of its life."""
    message = order_message(order)
    if step.to_status != order.status:
        message.status = STATUS[Status(step.to_status)]
        message.rejection_reason = ""
        message.updated_at.CopyFrom(_timestamp(step.at))
    return message


def _timestamp(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp
