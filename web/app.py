"""What a worker of the web server loads."""

from ordersite.wsgi import application
from web.front import Front

front = Front(application)
