import os

from celery import Celery

from events.workers import prepare

SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["localhost"]
ROOT_URLCONF = "urls"
_DJANGOS = ("admin", "auth", "contenttypes", "messages", "sessions")
INSTALLED_APPS = [*(f"django.contrib.{name}" for name in _DJANGOS), "events"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
_PROCESSORS = [f"django.contrib.{name}.context_processors.{name}" for name in ("auth", "messages")]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request", *_PROCESSORS]},
    }
]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"]}}
EVENTS = {"SUBSCRIPTIONS": "handlers"}

app = Celery("minimal", broker=os.environ["BROKER_URL"])
prepare(app)
