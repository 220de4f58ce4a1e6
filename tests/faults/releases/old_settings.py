"""The site's settings with the old release's map."""

from ordersite import settings as site
from ordersite.settings import *  # noqa: F403 - all of them

EVENTS = site.EVENTS | {"SUBSCRIPTIONS": "tests.faults.releases.old"}
CELERY_IMPORTS = ["tests.faults.releases.old"]
