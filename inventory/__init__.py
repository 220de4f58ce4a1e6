"""The catalogue, the stock of each product, reservations for orders, and the ledger of movements.

It knows orders by their ids alone, and imports nothing of them.
"""
