"""Django's PostgreSQL, with a look at a connection before each request that costs no round trip, and a `migrate` that
gives up a lock which it waits for, and tries again. It knows no table of ours.
"""
