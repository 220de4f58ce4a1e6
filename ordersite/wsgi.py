"""The web process's entry point."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ordersite.settings")
os.environ.setdefault("PROCESS_KIND", "web")

from django.core.wsgi import get_wsgi_application

from ordersite import tracing
from ordersite.api.wsgi import Readable

tracing.set_up()  # before the middleware is made; the server has forked by now
application = Readable(get_wsgi_application())
