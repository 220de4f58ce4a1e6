from uuid import UUID

from events.types import EventData, register


@register
class GuestInvitedV1(EventData):
    """Somebody is invited."""

    type = "guest.invited.v1"
    guest_id: UUID
    name: str

    @property
    def subject(self) -> UUID:
        return self.guest_id
