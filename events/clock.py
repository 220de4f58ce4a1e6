"""PostgreSQL's clock: the only one that the domain reads, so that no machine's wrong clock matters."""

from datetime import datetime

from django.db import connection


def transaction_time() -> datetime:
    """Return the time at which the open transaction began."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        row = cursor.fetchone()
    moment: datetime = row[0]
    return moment
