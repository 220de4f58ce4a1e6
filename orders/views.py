"""Orders over REST. Nothing here touches the broker or the mail: a request commits, and that is all."""

from typing import Any, cast
from uuid import UUID

from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_control
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from events.selectors import history_of
from orders import services
from orders.access import MOVE_ORDERS, VIEW_ORDERS
from orders.models import Order
from orders.selectors import matching, orders_visible_to, with_lines
from orders.serializers import (
    NewOrderSerializer,
    OrderQuerySerializer,
    OrderSerializer,
    StaffTimelineEventSerializer,
    TimelineEventSerializer,
)
from rest.access import SIGNED_IN, own_or
from rest.etags import etag, unless_current
from rest.idempotency import answered_once
from rest.serialization import represent, represent_all, validated
from rest.strict import expect_no_fields
from users.models import User


def _user(request: Request) -> User:
    return cast(User, request.user)


def _order(request: Request, order_id: UUID) -> Order:
    return get_object_or_404(orders_visible_to(_user(request)), pk=order_id)


def _represent(order: Order) -> dict[str, Any]:
    return represent(OrderSerializer, with_lines([order])[0])


class OrderListView(GenericAPIView[Order]):
    """GET and POST /orders."""

    access = {"GET": own_or(VIEW_ORDERS), "POST": SIGNED_IN}

    def get(self, request: Request) -> Response:
        filters = validated(OrderQuerySerializer, request.query_params)
        if "customer" in filters and not VIEW_ORDERS.allows(_user(request)):
            raise ValidationError({"customer": ["Only staff may choose a customer. You see your own orders."]})
        newest_first = filters.pop("ordering") == "-created_at"
        orders = matching(orders_visible_to(_user(request)), **filters)
        order_by = ["-created_at", "-id"] if newest_first else ["created_at", "id"]
        page = self.paginate_queryset(orders.order_by(*order_by))
        return self.get_paginated_response(represent_all(OrderSerializer, with_lines(page or [])))

    @answered_once("POST /orders")
    def post(self, request: Request) -> Response:
        items = [services.Item(**item) for item in validated(NewOrderSerializer, request.data)["items"]]
        order = services.place_order(user_id=_user(request).id, items=items)
        location = {"Location": f"/api/v1/orders/{order.id}"}
        return Response(represent(OrderSerializer, order), status=201, headers=location)


class OrderView(APIView):
    """GET /orders/{id}."""

    access = {"GET": own_or(VIEW_ORDERS)}

    @method_decorator(cache_control(private=True, no_cache=True))
    def get(self, request: Request, order_id: UUID) -> HttpResponseBase:
        order = _order(request, order_id)  # whatever version is asked for (RFC 9110, 13.2.1)
        tag = etag(OrderSerializer, order.id, order.status, order.updated_at)
        return unless_current(request, tag, lambda: _represent(order))


class CancelView(APIView):
    """POST /orders/{id}/cancel."""

    access = {"POST": own_or(MOVE_ORDERS)}

    @answered_once("POST /orders/{order_id}/cancel")
    def post(self, request: Request, order_id: UUID) -> Response:
        expect_no_fields(request)
        order = _order(request, order_id)
        by_customer = order.user_id == _user(request).id
        if not by_customer:
            MOVE_ORDERS.check(_user(request))
        cancelled = services.cancel_order(order, by="customer" if by_customer else "staff")
        return Response(_represent(cancelled))


class FulfilView(APIView):
    """POST /orders/{id}/fulfil."""

    access = {"POST": MOVE_ORDERS}

    @answered_once("POST /orders/{order_id}/fulfil")
    def post(self, request: Request, order_id: UUID) -> Response:
        expect_no_fields(request)
        return Response(_represent(services.fulfil_order(_order(request, order_id))))


class TimelineView(APIView):
    """GET /orders/{id}/timeline."""

    access = {"GET": own_or(VIEW_ORDERS)}

    def get(self, request: Request, order_id: UUID) -> Response:
        order = _order(request, order_id)
        all_of_it = VIEW_ORDERS.allows(_user(request))
        serializer = StaffTimelineEventSerializer if all_of_it else TimelineEventSerializer
        return Response({"results": serializer(history_of(order.id), many=True).data})
