"""Orders over REST."""

from rest_framework.generics import CreateAPIView
from rest_framework.serializers import BaseSerializer

from benchmarks.plain.serializers import OrderSerializer


class OrderCreateView(CreateAPIView):
    serializer_class = OrderSerializer

    def perform_create(self, serializer: BaseSerializer) -> None:
        serializer.save(user=self.request.user)
