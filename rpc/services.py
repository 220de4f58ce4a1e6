"""The services of the contract (contracts/proto/)."""

import re
from collections.abc import AsyncIterator, Sequence
from functools import partial
from uuid import UUID

from rest_framework.exceptions import NotFound, ValidationError

from orders.models import Order
from orders.selectors import find_order
from rest.converters import IdConverter
from rpc.interceptors import Context
from rpc.lookups import Lookups
from rpc.messages import order_message, user_message
from rpc.stubs import orders_v1_pb2 as orders
from rpc.stubs import orders_v1_pb2_grpc, users_v1_pb2_grpc
from rpc.stubs import users_v1_pb2 as users
from rpc.watches import FINAL, Watches
from users.selectors import find_users

MOST_USERS = 500
NOT_AN_ID = "It is not a UUID, such as 0193b1c4-7f3a-7c1e-9a50-2f6d1b8e4c77."


class UserService(users_v1_pb2_grpc.UserServiceServicer):
    """Who people are."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups

    async def GetUser(self, request: users.GetUserRequest, context: Context) -> users.User:
        user_id = _id(request.user_id, "user_id")
        found = await self._lookups.run(_left(context), partial(find_users, [user_id]))
        if user_id not in found:
            raise NotFound(f"There is no account {user_id}.")
        return user_message(found[user_id])

    async def BatchGetUsers(self, request: users.BatchGetUsersRequest, context: Context) -> users.BatchGetUsersResponse:
        """Return those of whom there is an account."""
        user_ids = _ids(request.user_ids)
        found = await self._lookups.run(_left(context), partial(find_users, user_ids))
        return users.BatchGetUsersResponse(users=map(user_message, found.values()))


class OrderService(orders_v1_pb2_grpc.OrderServiceServicer):
    """How orders stand."""

    def __init__(self, lookups: Lookups, watches: Watches) -> None:
        self._lookups = lookups
        self._watches = watches

    async def GetOrder(self, request: orders.GetOrderRequest, context: Context) -> orders.Order:
        return order_message(await self._order(request.order_id, context))

    async def WatchOrder(self, request: orders.WatchOrderRequest, context: Context) -> AsyncIterator[orders.Order]:
        """Tell the present state, then each step until the order is final."""
        order = await self._order(request.order_id, context)
        with self._watches.watching(order) as watch:
            told = order_message(order)
            yield told
            while told.status not in FINAL:
                told = await watch.next()
                yield told

    async def _order(self, text: str, context: Context) -> Order:
        order_id = _id(text, "order_id")
        order = await self._lookups.run(_left(context), partial(find_order, order_id))
        if order is None:
            raise NotFound(f"There is no order {order_id}.")
        return order


def _left(context: Context) -> float:
    """Return the seconds that the caller goes on waiting: each has a deadline (rpc/interceptors.py)."""
    return context.time_remaining() or 0.0


def _id(text: str, field: str) -> UUID:
    if not _is_id(text):
        raise ValidationError({field: [NOT_AN_ID]})
    return UUID(text)


def _ids(texts: Sequence[str]) -> set[UUID]:
    """Return the ids. Raises ValidationError with all that is wrong."""
    if len(texts) > MOST_USERS:
        raise ValidationError({"user_ids": [f"{len(texts)} are too many at once: ask for {MOST_USERS} at most."]})
    wrong = {str(position): [NOT_AN_ID] for position, text in enumerate(texts) if not _is_id(text)}
    if wrong:
        raise ValidationError({"user_ids": wrong})
    return set(map(UUID, texts))


def _is_id(text: str) -> bool:
    """Tell whether it is a UUID as paths of the API have it."""
    return bool(re.fullmatch(IdConverter.regex, text))
