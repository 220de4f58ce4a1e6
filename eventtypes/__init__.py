"""The events that the shop publishes, a module for each subject: the one vocabulary that all of its apps share.

Each type states the meaning of its fields and gives an example. Nothing here publishes or handles an event.
"""

from eventtypes import orders, reports, sales, stock, users

__all__ = ["orders", "reports", "sales", "stock", "users"]
