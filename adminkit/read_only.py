"""Admin pages that are for reading."""

from typing import Any

from django.http import HttpRequest


class ReadOnly:
    """Rows that only the code may write."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
