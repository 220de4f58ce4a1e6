"""The web server: `python -m web` starts it (server.py). Its workers (front.py) read each request whole before a thread
calls Django. It knows nothing about the application that it serves.
"""
