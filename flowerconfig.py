"""Flower's settings, which it looks for in the folder that it is started in.

They cannot stand in ordersite/settings.py: Celery loads that only after Flower has read its own.
"""

import os
from pathlib import Path

address = os.environ.get("FLOWER_ADDRESS", "127.0.0.1")

if name := os.environ.get("FLOWER_BASIC_AUTH_FILE"):
    try:
        basic_auth = [Path(name).read_text().strip()]
    except OSError as error:  # Flower takes a missing file for a missing flowerconfig.py, and starts without password
        raise SystemExit(f"flower: FLOWER_BASIC_AUTH_FILE={name} cannot be read: {error.strerror}.") from None
    if ":" not in basic_auth[0]:
        raise SystemExit(f"flower: FLOWER_BASIC_AUTH_FILE={name} does not hold user:password.")
