"""Accounts, passwords and bearer tokens.

How often somebody may try to sign in is decided in rest/limits/; what a group of staff may do, in ordersite/groups.py.
"""
