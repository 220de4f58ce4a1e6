"""Every path. /api/v1 is the API; what each app serves stands in its own urls.py."""

from django.contrib import admin
from django.urls import include, path, re_path, register_converter
from django.views.generic import RedirectView

from analytics import report_pages as reports
from analytics import sales_pages as sales
from backoffice.navigation import search
from events.asyncapi import views as asyncapi
from events.operations import views as operations
from ordersite.health import LiveView, ReadyView
from ordersite.metrics import MetricsView
from rest import problems
from rest.converters import IdConverter
from rest.limits.admin import sign_in_page
from rest.openapi import views as openapi
from users.admin import change_own_password

register_converter(IdConverter, "id")

v1 = [
    path("", include("users.urls")),
    path("", include("inventory.urls")),
    path("", include("orders.urls")),
    path("", include("analytics.urls")),
    path("", include("events.rest.urls")),
]

urlpatterns = [
    path("api/v1/", include(v1)),
    path("api/schema", openapi.SchemaView.as_view()),
    path("api/docs", openapi.docs),
    path("api/docs/problems", openapi.problem_list),
    path("api/docs/problems/<str:code>", openapi.problem_page),
    path("api/events", asyncapi.page),
    path("api/events/asyncapi.json", asyncapi.asyncapi),
    path("api/events/schemas/<str:name>.json", asyncapi.schema),
    path("health/live", LiveView.as_view()),
    path("health/ready", ReadyView.as_view()),
    path("metrics", MetricsView.as_view()),
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/login/", sign_in_page),
    path("admin/password_change/", admin.site.admin_view(change_own_password, cacheable=True)),
    path("admin/search/", admin.site.admin_view(search)),
    *operations.urls(),
    *sales.urls(),
    *reports.urls(),
    path("admin/", admin.site.urls),
    re_path("", problems.not_found),
]

admin.site.index_template = "backoffice/index.html"  # a site's own hook

handler400 = problems.bad_request
handler403 = problems.forbidden
handler404 = problems.not_found
handler500 = problems.failed
