"""What `make run` needs and production does not: an embedded PostgreSQL and Valkey, and a small supervisor.

Nothing here imports Django: this code starts the processes, it is not one of them.
"""
