"""The database backend (DATABASES' ENGINE)."""

import select

from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, but for how a kept connection is looked at before it serves another request.

    Django asks the server `SELECT 1`: a fourteenth of what a request to place an order costs. A server that ends, or
    ends a session, closes the connection, and that can be read from the socket without asking. Only where there is
    something to read is the server asked. A network that is silent is noticed by neither: there a statement fails
    after tcp_user_timeout.
    """

    def is_usable(self) -> bool:
        """Tell whether the connection can be used."""
        kept = self.connection
        if kept is None or kept.closed:
            return False
        at_rest = kept.info.transaction_status == TransactionStatus.IDLE
        return (at_rest and not _has_something_to_read(kept.fileno())) or super().is_usable()


def _has_something_to_read(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))
