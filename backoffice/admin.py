"""Registers the pages of this room: the admin looks for a module of this name."""

from backoffice import customers, orders, packages

__all__ = ["customers", "orders", "packages"]
