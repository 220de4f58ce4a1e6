"""Our orders in plain code, on our own tables, to be measured beside ordersite. Nothing imports it."""

from .celery import app as celery_app

__all__ = ["celery_app"]
