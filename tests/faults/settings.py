"""The site's settings with handlers that misbehave: DJANGO_SETTINGS_MODULE=tests.faults.settings."""

from ordersite import settings as site
from ordersite.settings import *  # noqa: F403 - all of them

EVENTS = site.EVENTS | {"SUBSCRIPTIONS": "tests.faults.subscriptions"}
CELERY_IMPORTS = ["tests.faults.handlers"]
