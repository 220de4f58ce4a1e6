"""`make run`: an embedded PostgreSQL and Valkey, and a small supervisor of all processes. Production needs none of it.

Nothing here imports Django: this code starts the processes, it is not one of them.
"""
