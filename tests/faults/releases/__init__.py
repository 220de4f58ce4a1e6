"""Two releases of one shop: the new one has a version more of an event, a handler more, and a handler less."""
