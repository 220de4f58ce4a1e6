"""manage.py relay: hands due deliveries to Celery until it is told to stop. Any number may run."""

import logging
import signal
from typing import Any

from django.core.management.base import BaseCommand

from events.conf import celery
from events.relaying.relay import Relay
from events.relaying.sender import Sender

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Run a relay: it hands due deliveries to Celery. Any number may run at once. SIGTERM or Ctrl-C ends it."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGTERM or SIGINT, then end after the turn at hand."""
        relay = Relay(Sender(celery()))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: relay.stop())
        logger.info("relay: ready")
        relay.run()
