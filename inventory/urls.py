from django.urls import path, re_path

from inventory import views

SKU = r"(?P<sku>[A-Za-z0-9][A-Za-z0-9._-]{0,63})"

urlpatterns = [
    path("products", views.ProductListView.as_view()),
    re_path(rf"^products/{SKU}$", views.ProductView.as_view()),
    re_path(rf"^products/{SKU}/stock-adjustments$", views.StockAdjustmentView.as_view()),
]
