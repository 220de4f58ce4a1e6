"""Admin page of the mails."""

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.read_only import ReadOnly
from notifications.models import Notification


@admin.register(Notification)
class NotificationAdmin(ReadOnly, admin.ModelAdmin[Notification]):
    """Every mail, as it was written."""

    list_display = ["created_at", "template", "recipient", "subject", "state", "sent_at"]
    list_filter = ["template", "state"]
    search_fields = ["=id", "=event_id", "recipient", "subject"]
    ordering = ["-id"]
    show_full_result_count = False
    fields = [
        "state", "sent_at", "created_at", "template", "event_id", "recipient", "subject", "message_id", "text", "mail",
    ]  # fmt: skip
    readonly_fields = ["message_id", "mail"]

    @admin.display(description="as it looks")
    def mail(self, notification: Notification) -> SafeString:
        """Return the HTML in a frame that runs nothing and loads nothing."""
        return format_html(
            '<iframe sandbox srcdoc="{}" title="The mail" style="width:100%;height:28em;border:1px solid"></iframe>',
            notification.html,
        )
