"""The site's settings with the new release's map."""

from ordersite import settings as site
from ordersite.settings import *  # noqa: F403 - all of them

EVENTS = site.EVENTS | {"SUBSCRIPTIONS": "tests.faults.releases.new"}
CELERY_IMPORTS = ["tests.faults.releases.new"]
