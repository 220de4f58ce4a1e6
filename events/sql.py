"""SQL conditions that several statements share. The deliveries' indexes (models.py) have the same predicates."""

# A delivery that holds back the later ones of its subject and consumer.
UNDONE = "(state IN ('pending', 'leased', 'running') OR (state = 'dead' AND dead_holds))"

# The delivery `d` may not be handed out: an earlier one of its subject and consumer is undone. This alone decides
# the order of deliveries; parking only keeps those that it is true of out of the relay's way.
EARLIER_UNDONE = f"""EXISTS (
    SELECT 1 FROM events_delivery earlier
    WHERE earlier.subject = d.subject AND earlier.consumer = d.consumer
      AND (earlier.sequence, earlier.handler) < (d.sequence, d.handler)
      AND {UNDONE.replace("state", "earlier.state").replace("dead_holds", "earlier.dead_holds")}
)"""

# The delivery `new` that is being inserted waits behind one that is dead, parked, or backing off, and so is parked
# at once. Behind one that is about to run it is not: that is over before parking would pay.
HELD_BACK = """EXISTS (
    SELECT 1 FROM events_delivery earlier
    WHERE earlier.subject = new.subject AND earlier.consumer = new.consumer
      AND (earlier.sequence, earlier.handler) < (new.sequence, new.handler)
      AND ((earlier.state = 'dead' AND earlier.dead_holds)
           OR (earlier.state = 'pending' AND (earlier.due_at IS NULL OR earlier.due_at > now())))
)"""
