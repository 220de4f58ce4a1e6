"""The jobs of beat."""

from datetime import timedelta
from operator import itemgetter

from events.conf import celery


def most_frequent_job() -> tuple[str, timedelta]:
    """Return the name and the period of the job that beat sends most often."""
    periods = [(name, job["schedule"]) for name, job in celery().conf.beat_schedule.items()]
    return min(((name, period) for name, period in periods if isinstance(period, timedelta)), key=itemgetter(1))
