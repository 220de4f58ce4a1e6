"""The deployment, and nothing else: settings, URLs, the Celery app, the map from events to handlers, groups, health.

What could serve another site, or belongs to one app, has a room of its own.
"""

from ordersite.celery import app as celery_app

__all__ = ["celery_app"]
