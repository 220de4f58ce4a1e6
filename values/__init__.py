"""Values that several apps share, with their fields and validators: money, names, e-mail addresses, text search, CSV.

Anything that has a table, or that only one app uses, belongs in an app.
"""
