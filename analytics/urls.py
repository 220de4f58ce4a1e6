from django.urls import path

from analytics import views

urlpatterns = [
    path("analytics/sales", views.SalesView.as_view()),
    path("reports", views.ReportListView.as_view()),
    path("reports/<id:report_id>", views.ReportView.as_view()),
    path("reports/<id:report_id>/download", views.DownloadView.as_view()),
]
