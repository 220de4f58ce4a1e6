"""The catalogue over REST."""

from django.db import transaction
from django.http import Http404, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_control
from django.views.decorators.http import condition
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from inventory import catalogue, stock
from inventory.access import ADD_PRODUCTS, CHANGE_PRODUCTS
from inventory.models import Product
from inventory.selectors import catalogue as products_of
from inventory.selectors import search, version_in, version_of
from inventory.serializers import (
    ORDERINGS,
    NewProductSerializer,
    ProductChangeSerializer,
    ProductQuerySerializer,
    ProductSerializer,
    StockAdjustmentSerializer,
    StockSerializer,
)
from rest.access import ANYONE
from rest.etags import etag, unless_current
from rest.idempotency import answered_once
from rest.serialization import represent, represent_all, validated


class ProductListView(GenericAPIView[Product]):
    """GET and POST /products."""

    access = {"GET": ANYONE, "POST": ADD_PRODUCTS}

    def get(self, request: Request) -> Response:
        query = validated(ProductQuerySerializer, request.query_params)
        products = search(products_of(), query.get("search", ""))
        page = self.paginate_queryset(products.order_by(*ORDERINGS[query["ordering"]]))
        return self.get_paginated_response(represent_all(ProductSerializer, page or []))

    @answered_once("POST /products")
    def post(self, request: Request) -> Response:
        serializer = NewProductSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        product = catalogue.add_product(**serializer.validated_data)
        location = {"Location": f"/api/v1/products/{product.sku}"}
        return Response(ProductSerializer(product).data, status=201, headers=location)


def _locked_etag(request: Request, sku: str) -> str:
    """Return the entity tag of a product that nobody else can edit until this transaction is over."""
    Product.objects.select_for_update(no_key=True).filter(sku=sku).first()
    return _tag(version_of(products_of(include_inactive=True), sku))


def _tag(version: tuple[object, ...] | None) -> str:
    if version is None:
        raise Http404  # whatever version the client asks for (RFC 9110, 13.2.1)
    return etag(ProductSerializer, *version)


class ProductView(APIView):
    """GET and PATCH /products/{sku}."""

    access = {"GET": ANYONE, "PATCH": CHANGE_PRODUCTS}

    @method_decorator(cache_control(no_cache=True))
    def get(self, request: Request, sku: str) -> HttpResponseBase:
        product = get_object_or_404(products_of(), sku=sku)
        return unless_current(request, _tag(version_in(product)), lambda: represent(ProductSerializer, product))

    @transaction.atomic
    @method_decorator(condition(_locked_etag))
    def patch(self, request: Request, sku: str) -> Response:
        """Change a product, with If-Match only the one that was seen; orders that were placed keep what they had."""
        product = get_object_or_404(products_of(include_inactive=True), sku=sku)
        serializer = ProductChangeSerializer(product, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return Response(ProductSerializer(catalogue.change_product(product, **serializer.validated_data)).data)


class StockAdjustmentView(APIView):
    """POST /products/{sku}/stock-adjustments."""

    access = {"POST": CHANGE_PRODUCTS}

    @answered_once("POST /products/{sku}/stock-adjustments")
    def post(self, request: Request, sku: str) -> Response:
        product = get_object_or_404(Product, sku=sku)
        serializer = StockAdjustmentSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        item = stock.adjust(product, **serializer.validated_data)
        return Response(StockSerializer(item).data, status=201)
