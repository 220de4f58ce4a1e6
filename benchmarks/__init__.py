"""`make compare`: an order back end as most teams write it, and this one, under the same load and the same faults."""
