"""Sales figures over REST."""

from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics.selectors import sales_by_day
from analytics.serializers import DailySalesSerializer, SalesQuerySerializer


class SalesView(APIView):
    """GET /analytics/sales."""

    permission_classes = (IsAdminUser,)

    def get(self, request: Request) -> Response:
        """Show sales by day and status."""
        query = SalesQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        rows = sales_by_day(start=query.validated_data["from"], end=query.validated_data["to"])
        return Response({"results": DailySalesSerializer(rows, many=True).data})
