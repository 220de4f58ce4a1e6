"""The bus: event types, deliveries, the relay, the runner, the dead letters."""
