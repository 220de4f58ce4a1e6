"""The settings of a later release, which knows a handler and an event type more: DJANGO_SETTINGS_MODULE."""

from tests.faults import settings as now
from tests.faults.settings import *  # noqa: F403 - all of them

CELERY_IMPORTS = [*now.CELERY_IMPORTS, "tests.faults.later_handlers"]
