"""How the bus is doing: its processes and queues, what it has done; for the operations page, `status` and /metrics."""
