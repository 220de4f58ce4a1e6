from rest_framework.generics import CreateAPIView

from .serializers import OrderSerializer


class OrderCreateView(CreateAPIView):
    serializer_class = OrderSerializer

    def perform_create(self, serializer):
        serializer.save(user=self.request.user)
