import os

os.environ.setdefault("PROCESS_KIND", "web")  # as in ours: the time-outs of the web

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
