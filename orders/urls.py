from django.urls import path

from orders import views

urlpatterns = [
    path("orders", views.OrderListView.as_view()),
    path("orders/<id:order_id>", views.OrderView.as_view()),
    path("orders/<id:order_id>/cancel", views.CancelView.as_view()),
    path("orders/<id:order_id>/fulfil", views.FulfilView.as_view()),
    path("orders/<id:order_id>/timeline", views.TimelineView.as_view()),
]
