"""Admin page of the mails."""

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString

from adminkit.pages import Page, as_uuid
from adminkit.read_only import ReadOnly
from notifications.models import Notification
from users.models import User


@admin.register(Notification)
class NotificationAdmin(ReadOnly, Page[Notification]):
    list_display = ["created_at", "template", "recipient", "subject", "state", "sent_at"]
    list_filter = ["template", "state"]
    search_fields = ["recipient__exact"]
    search_help_text = "The recipient's address, or the id of the mail, of its event or of the customer: exactly"
    ordering = ["-id"]
    fields = [
        "state", "sent_at", "created_at", "template", "event_id", "recipient", "subject", "message_id", "text", "mail",
    ]  # fmt: skip
    readonly_fields = ["message_id", "mail"]

    def find(self, rows: QuerySet[Notification], text: str) -> QuerySet[Notification] | None:
        """Find by an id, or by the accounts that have the address. Other recipients are looked for among all."""
        if wanted := as_uuid(text):
            return rows.filter(Q(pk=wanted) | Q(event_id=wanted) | Q(user_id=wanted))
        users = [user.pk for user in User.objects.with_address(text)]
        return rows.filter(user_id__in=users) if users else None

    @admin.display(description="as it looks")
    def mail(self, notification: Notification) -> SafeString:
        """Return the HTML in a frame that runs nothing and loads nothing."""
        return format_html(
            '<iframe sandbox srcdoc="{}" title="The mail" style="width:100%;height:28em;border:1px solid"></iframe>',
            notification.html,
        )
