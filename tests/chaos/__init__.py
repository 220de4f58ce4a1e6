"""`make chaos`: every fault of docs/faults.md by itself, then a storm of them, at random, over a system under load."""
