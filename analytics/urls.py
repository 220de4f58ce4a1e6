from django.urls import path

from analytics.views import SalesView

urlpatterns = [path("analytics/sales", SalesView.as_view())]
