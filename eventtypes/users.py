"""Events of people."""

from uuid import UUID

from pydantic import Field

from events.types import EventData, register
from eventtypes.orders import USER_ID


@register
class UserCreatedV1(EventData):
    """Somebody registered."""

    type = "user.created.v1"
    example = {"user_id": USER_ID}
    user_id: UUID = Field(description="The person. Who they are is asked of the user service: no event tells.")

    @property
    def subject(self) -> UUID:
        return self.user_id
