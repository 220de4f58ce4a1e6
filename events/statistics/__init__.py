"""What is counted of the bus, and how its queues are at this moment."""
