from django.urls import path

from .shop.views import OrderCreateView

urlpatterns = [path("api/orders/", OrderCreateView.as_view())]
