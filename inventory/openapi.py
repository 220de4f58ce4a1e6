"""The operations on products and their stock."""

from inventory.serializers import (
    NewProductSerializer,
    ProductChangeSerializer,
    ProductQuerySerializer,
    ProductSerializer,
    StockAdjustmentSerializer,
    StockSerializer,
)
from rest.codes import Code
from rest.openapi.described import Answer, Body, Described, Operation
from rest.openapi.parts import parameter

CUP = {
    "sku": "CUP-PORCELAIN",
    "name": "Porcelain cup",
    "description": "",
    "price": "9.50",
    "currency": "EUR",
    "available": 58,
}

OPERATIONS = {
    "GET /api/v1/products": Operation(
        id="listProducts",
        tag="products",
        summary="List what is sold",
        description="Lists the active products, one page at a time. Anyone may. `search` finds what contains the text"
        " in its sku, name or description, in any case and Unicode spelling: `STRASSE` finds straße.",
        query=ProductQuerySerializer,
        answer=Answer(200, "A page of products.", ProductSerializer, CUP, page=True),
    ),
    "POST /api/v1/products": Operation(
        id="addProduct",
        tag="products",
        summary="Add a product",
        description="Adds a product with no stock; adjust its stock next. A sku that is taken is 400.",
        body=Body(
            NewProductSerializer,
            {"cup": {"sku": "CUP-PORCELAIN", "name": "Porcelain cup", "price": "9.50", "currency": "EUR"}},
        ),
        answer=Answer(201, "The product.", ProductSerializer, CUP | {"available": 0}, headers=("Location",)),
    ),
    "GET /api/v1/products/{sku}": Operation(
        id="getProduct",
        tag="products",
        summary="Show a product",
        description="Shows an active product. Anyone may. To ask again cheaply, send the ETag in If-None-Match.",
        answer=Answer(200, "The product.", ProductSerializer, CUP, headers=("ETag", "NoCache")),
        headers=("IfNoneMatch",),
        not_modified=True,
    ),
    "PATCH /api/v1/products/{sku}": Operation(
        id="updateProduct",
        tag="products",
        summary="Change a product",
        description="Changes what is given, and answers with the whole product. Orders that were placed"
        " keep the name and the price that they were placed with. To change only what one has seen, send its ETag in"
        " If-Match.",
        body=Body(ProductChangeSerializer, {"price": {"price": "10.50"}}, partial=True),
        answer=Answer(200, "The product, changed.", ProductSerializer, CUP | {"price": "10.50"}),
        headers=("IfMatch",),
        codes=("precondition_failed",),
    ),
    "POST /api/v1/products/{sku}/stock-adjustments": Operation(
        id="adjustStock",
        tag="products",
        summary="Add or take away pieces",
        description="Adds `quantity` to what is on hand; a negative one takes away.",
        body=Body(
            StockAdjustmentSerializer,
            {
                "delivery": {"quantity": 60, "reason": "delivery 4711"},
                "breakage": {"quantity": -2, "reason": "two broken"},
            },
        ),
        answer=Answer(
            201,
            "The stock after it.",
            StockSerializer,
            {"sku": "CUP-PORCELAIN", "on_hand": 60, "reserved": 2, "available": 58},
        ),
        codes=("below_reserved",),
    ),
}

CODES = (
    Code(
        "below_reserved",
        409,
        "The adjustment would leave fewer pieces on hand than are reserved for orders.",
        "Take away fewer, or cancel orders first.",
        "That would leave fewer pieces on hand than are reserved for orders.",
    ),
)
DESCRIBED = Described(
    OPERATIONS,
    tags={"products": "The catalogue: anyone reads it, staff write it."},
    parameters={
        "sku": parameter("sku", "path", "The product's sku.", pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
        | {"example": "CUP-PORCELAIN"},
    },
    codes=CODES,
)
