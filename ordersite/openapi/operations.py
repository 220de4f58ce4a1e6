"""Every operation that the document tells of, by method and path."""

from collections.abc import Mapping

from ordersite.openapi import accounts, analytics, catalogue, dead_letters, orders, site
from ordersite.openapi.operation import Operation

OPERATIONS: Mapping[str, Operation] = {
    **accounts.OPERATIONS,
    **catalogue.OPERATIONS,
    **orders.OPERATIONS,
    **analytics.OPERATIONS,
    **dead_letters.OPERATIONS,
    **site.OPERATIONS,
}
