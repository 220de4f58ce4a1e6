"""The site's map, and a consumer that misbehaves."""

from events.subscriptions import Consumer
from ordersite import subscriptions as site
from tests.faults import handlers

SUBSCRIPTIONS = {**site.SUBSCRIPTIONS, handlers.OrderGivenV1: [handlers.obey]}
CONSUMERS = {**site.CONSUMERS, "faults": Consumer(dead_holds=False)}
COMPENSATIONS = site.COMPENSATIONS
