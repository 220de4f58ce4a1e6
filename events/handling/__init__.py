"""What a worker does with a message: start its deliveries, run the handler, and write down how that ended."""
