"""Asks for a report of the last week in the database that the environment names, and prints its id. Argument: kind."""

import sys
from datetime import UTC, datetime, timedelta

import django


def main(kind: str) -> str:
    """Ask as a member of staff, who is made where there is none."""
    django.setup()
    from analytics.reports import request_report
    from users.models import User

    user, _ = User.objects.get_or_create(email="staff@example.com", is_staff=True)
    today = datetime.now(UTC).date()
    return str(request_report(user, kind=kind, start=today - timedelta(days=7), end=today, file_format="csv").id)


if __name__ == "__main__":
    print(main(sys.argv[1]))
