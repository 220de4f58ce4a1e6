"""What staff need for figures and reports, in the admin and over REST."""

from rest.access import needs

VIEW_SALES = needs("analytics.view_dailysales", "analytics.view_dailyproductsales")
REQUEST_REPORTS = needs("analytics.request_report")
