"""The site's map, and what the examples add. Handlers of an app of your own go into ordersite/subscriptions.py."""

from events.subscriptions import Consumer
from examples import background_job, own_event
from ordersite import subscriptions as site

SUBSCRIPTIONS = {
    **site.SUBSCRIPTIONS,
    own_event.GoodsArrivedV1: [own_event.put_on_shelf],
    background_job.PriceListRequestedV1: [background_job.write_price_list],
}
CONSUMERS = {
    **site.CONSUMERS,
    "receiving": Consumer(dead_holds=False),
    "exports": Consumer(dead_holds=False, in_flight=8),  # a file may take seconds
}
COMPENSATIONS = site.COMPENSATIONS
