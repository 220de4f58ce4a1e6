"""Our settings, with what an order back end in plain Django and Celery has of its own.

Database, broker and mail are ours, so that it is the designs that differ. So are Flower's events, and the reuse of
database connections in workers.
"""

from ordersite.environment import env
from ordersite.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.plain.urls"
WSGI_APPLICATION = "benchmarks.plain.wsgi.application"
INSTALLED_APPS = [*INSTALLED_APPS, "rest_framework.authtoken"]  # noqa: F405
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}

# Celery's defaults, where ours are others.
CELERY_TASK_DEFAULT_QUEUE = "celery"
CELERY_WORKER_PREFETCH_MULTIPLIER = 4
CELERY_TASK_TRACK_STARTED = False
CELERY_BEAT_SCHEDULE: dict[str, object] = {}
# Nobody asks for results.
CELERY_RESULT_BACKEND = None
CELERY_RESULT_EXTENDED = False
CELERY_TASK_IGNORE_RESULT = True

# Off: orders are accepted, and nothing follows. To measure the request by itself.
ENQUEUE = env.bool("ENQUEUE", default=True)
