"""What has become of the orders: read by SQL from each app's database, and compared with what the clients saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from benchmarks.load import Answer


@dataclass(frozen=True)
class Queries:
    """Where an app keeps what is counted."""

    orders: str
    """Id, status, and number of mails about the outcome of each order."""

    counted: str
    """Confirmed orders, as the sales figures say."""

    sold: str
    """Pieces in confirmed orders."""

    available: str
    """Pieces still to be had, as the stock says."""


@dataclass(frozen=True)
class Books:
    """All that is in the database: the status and the mails by order, and three sums."""

    orders: dict[str, tuple[str, int]]
    counted: int
    sold: int
    available: int

    @property
    def undecided(self) -> set[str]:
        """Orders that are neither confirmed nor rejected."""
        return {order for order, (status, _) in self.orders.items() if status == "pending"}

    @property
    def unmailed(self) -> set[str]:
        """Orders whose customer was not told the outcome."""
        return {order for order, (status, mails) in self.orders.items() if status != "pending" and not mails}

    @property
    def confirmed(self) -> int:
        """How many orders are confirmed."""
        return sum(status == "confirmed" for status, _ in self.orders.values())

    @property
    def complete(self) -> bool:
        """Say whether nothing is left to do."""
        return not self.undecided and not self.unmailed and self.counted >= self.confirmed


@dataclass(frozen=True)
class Waiting:
    """Work that may still be done: orders whose outcome or mail waits to be handled, and sales to be counted."""

    outcomes: frozenset[str] = frozenset()
    mails: frozenset[str] = frozenset()
    sales: int = 0


@dataclass(frozen=True)
class Figures:
    """A scenario's outcome. `p50` and `p99` in milliseconds, `last` in seconds after the load."""

    accepted: int
    errors: int
    unseen: int
    lost: int
    parked: int
    doubled: int
    exits: int
    p50: float
    p99: float
    last: float
    sold: int
    stock_off: int


def read(database_url: str, queries: Queries) -> Books:
    """Read an app's books, in one transaction."""
    with psycopg.connect(database_url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        orders = {order: (status, mails) for order, status, mails in connection.execute(queries.orders)}
        counted, sold, available = (
            _sum(connection, query) for query in (queries.counted, queries.sold, queries.available)
        )
        return Books(orders, counted, sold, available)


def _sum(connection: psycopg.Connection[Any], query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0] or 0) if row else 0


def lost_parked_doubled(accepted: set[str], books: Books, waiting: Waiting) -> tuple[int, int, int]:
    """Count the orders to which each has happened.

    The sales are a sum, so which order's is missing cannot be said: the larger of the two, mails or sales, counts.
    """
    undecided = books.undecided | (accepted - books.orders.keys())
    uncounted = max(0, books.confirmed - books.counted)
    sales = min(uncounted, waiting.sales)
    lost = len(undecided - waiting.outcomes) + max(len(books.unmailed - waiting.mails), uncounted - sales)
    parked = len(undecided & waiting.outcomes) + max(len(books.unmailed & waiting.mails), sales)
    mailed_twice = sum(mails > 1 for _, mails in books.orders.values())
    return lost, parked, max(mailed_twice, books.counted - books.confirmed)


def clients(answers: Sequence[Answer], books: Books) -> tuple[set[str], int, int]:
    """Return the orders that clients were told of, how many clients saw an error, and orders no client was told of."""
    told = {answer.order for answer in answers if answer.accepted}
    return told, len(answers) - len(told), len(books.orders.keys() - told)
