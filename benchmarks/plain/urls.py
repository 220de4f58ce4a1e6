from django.urls import path

from benchmarks.plain import bare
from benchmarks.plain.views import OrderCreateView

urlpatterns = [
    path("api/orders/", OrderCreateView.as_view()),
    path("bare/orders", bare.orders),
    path("bare/orders/<uuid:order_id>", bare.order),
    path("bare/products", bare.products),
]
