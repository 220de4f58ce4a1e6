"""The site's settings with the examples' handlers: DJANGO_SETTINGS_MODULE=examples.settings."""

from ordersite import settings as site
from ordersite.settings import *  # noqa: F403 - all of them

EVENTS = site.EVENTS | {"SUBSCRIPTIONS": "examples.subscriptions"}
CELERY_IMPORTS = ["examples.subscriptions"]  # an app's tasks.py would be found by itself
