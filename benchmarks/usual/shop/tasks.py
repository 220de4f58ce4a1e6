from celery import shared_task
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from .models import DailySales, Mail, Order


@shared_task
@transaction.atomic
def process_order(order_id):
    """Reserve the stock and confirm the order, or reject it."""
    order = Order.objects.get(pk=order_id)
    if order.status != Order.Status.PENDING:  # the message came twice
        return
    items = list(order.items.select_related("product"))
    if all(item.product.stock >= item.quantity for item in items):
        for item in items:
            item.product.stock -= item.quantity
            item.product.save()
        order.status = Order.Status.CONFIRMED
        transaction.on_commit(lambda: count_sale.delay(order.id))
    else:
        order.status = Order.Status.REJECTED
    order.save()
    transaction.on_commit(lambda: send_order_mail.delay(order.id))


@shared_task
def send_order_mail(order_id):
    order = Order.objects.select_related("user").get(pk=order_id)
    subject = f"Your order {order.id} is {order.status}"
    send_mail(subject, f"Total: {order.total}", None, [order.user.email])
    Mail.objects.create(order=order, subject=subject)


@shared_task
def count_sale(order_id):
    order = Order.objects.get(pk=order_id)
    day, _ = DailySales.objects.get_or_create(day=timezone.now().date())
    DailySales.objects.filter(pk=day.pk).update(orders=F("orders") + 1, amount=F("amount") + order.total)
