"""Catalogue, stock, reservations and the ledger of movements."""
