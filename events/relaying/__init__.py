"""The relay: claims what is due, sends it to Celery, and puts right every second what was left behind."""
