"""Pages of the admin that join several apps, and those of packages in the look of the others."""

from ordersite.admin import customers, orders, packages

__all__ = ["customers", "orders", "packages"]
