"""The deployment: settings, URLs, the Celery app, and the map from events to handlers."""

from ordersite.celery import app as celery_app

__all__ = ["celery_app"]
