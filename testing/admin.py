"""What the tests of the admin share."""

from typing import Any

from django.contrib.messages import get_messages
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from events.models import Delivery


def bury(handler: str) -> Delivery:
    """Make a dead letter of the delivery of this handler."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events_delivery SET state = 'dead', reason = 'permanent_error', due_at = NULL, attempts = 3,"
            " handled_at = now(),"
            " error_type = 'ValueError', error_message = 'no <such> day' WHERE handler = %s",
            [handler],
        )
    return Delivery.objects.get(handler=handler)


def url(model: type[Model], page: str, *arguments: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


def act(browser: Client, model: type[Model], action: str, rows: list[Any], **more: str) -> Any:
    given = {"action": action, "_selected_action": [str(row.pk) for row in rows]} | more
    return browser.post(url(model, "changelist"), given, follow=True)


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)] or [
        str(message) for message in answer.context["messages"]
    ]


def text(answer: Any) -> str:
    """The page of an answer."""
    assert answer.status_code == 200
    return str(answer.content.decode())


def product_form(**fields: Any) -> dict[str, Any]:
    """What the page of a product sends."""
    return {
        "sku": "POT",
        "name": "Pot",
        "description": "",
        "price": "29.90",
        "currency": "EUR",
        "is_active": "on",
    } | fields
