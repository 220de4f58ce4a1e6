from django.contrib.auth.models import User
from event_types import GuestInvitedV1

from events.declare import effect
from events.handlers import ReceivedEvent
from events.subscriptions import Consumer


@effect("guests.make_account", max_attempts=3)
def make_account(event: ReceivedEvent[GuestInvitedV1]) -> None:
    """Make an account, in the transaction that also marks this delivery done."""
    User.objects.create_user(f"guest-{event.data.guest_id}", first_name=event.data.name)


SUBSCRIPTIONS = {GuestInvitedV1: [make_account]}
CONSUMERS = {"guests": Consumer(dead_holds=True)}
