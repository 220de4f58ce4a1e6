"""What stands in paths."""

from django.urls.converters import UUIDConverter


class IdConverter(UUIDConverter):
    """A UUID, in letters of either case (RFC 9562, 4)."""

    regex = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
