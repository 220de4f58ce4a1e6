"""What OPTIONS answers."""

from typing import Any

from rest_framework.metadata import SimpleMetadata
from rest_framework.request import Request


class PlainMetadata(SimpleMetadata):
    """DRF's own, without the fields of the bodies: it looks for them in one serializer a view, and here are several."""

    def determine_actions(self, request: Request, view: Any) -> dict[str, Any]:
        return {}
