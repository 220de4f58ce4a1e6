"""An order back end as most teams write it, to be measured beside ordersite. Nothing imports it."""

from .celery import app as celery_app

__all__ = ["celery_app"]
