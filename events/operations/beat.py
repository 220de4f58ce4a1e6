"""The jobs of beat."""

from datetime import timedelta

from django.conf import settings


def most_frequent_job() -> tuple[str, timedelta]:
    """Return the name and the period of the job that beat sends most often."""
    periods = {name: job["schedule"] for name, job in settings.CELERY_BEAT_SCHEDULE.items()}
    return min(
        ((name, period) for name, period in periods.items() if isinstance(period, timedelta)), key=lambda job: job[1]
    )
