"""The web server: `python -m web` starts it (server.py). Its workers (front.py) read each request whole before a thread
calls Django. app.py alone names the application; what a refusal looks like is decided in rest/.
"""
