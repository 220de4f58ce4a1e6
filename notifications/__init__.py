"""E-mail to customers and to the shop: each mail is a row first, then it is sent.

Which event sends which mail is decided in ordersite/subscriptions.py.
"""
