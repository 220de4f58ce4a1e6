"""What a worker of the web server loads."""

from ordersite.web.front import Front
from ordersite.wsgi import application

front = Front(application)
