"""The web process's entry point."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ordersite.settings")
os.environ.setdefault("PROCESS_KIND", "web")

from django.core.wsgi import get_wsgi_application

from ordersite.api.wsgi import Readable

application = Readable(get_wsgi_application())
