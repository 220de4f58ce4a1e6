from django.db import transaction
from rest_framework import serializers

from . import tasks
from .models import Order, OrderItem, Product


class OrderItemSerializer(serializers.ModelSerializer):
    sku = serializers.SlugRelatedField(source="product", slug_field="sku", queryset=Product.objects.all())

    class Meta:
        model = OrderItem
        fields = ["sku", "quantity"]


class OrderSerializer(serializers.ModelSerializer):
    items = OrderItemSerializer(many=True, allow_empty=False)

    class Meta:
        model = Order
        fields = ["id", "status", "total", "items", "created_at"]
        read_only_fields = ["status", "total"]

    @transaction.atomic
    def create(self, validated_data):
        items = validated_data.pop("items")
        total = sum(item["product"].price * item["quantity"] for item in items)
        order = Order.objects.create(total=total, **validated_data)
        OrderItem.objects.bulk_create(OrderItem(order=order, price=item["product"].price, **item) for item in items)
        transaction.on_commit(lambda: tasks.process_order.delay(order.id))
        return order
