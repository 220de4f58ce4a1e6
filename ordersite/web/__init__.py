"""The web process: `python -m ordersite.web` starts the server (server.py), whose workers run the front (front.py)."""
