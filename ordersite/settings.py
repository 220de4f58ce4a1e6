"""All settings, from the environment. Every variable is explained in .env.example; NAME_FILE names a file with it."""

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from celery.schedules import crontab

from events.broker_url import RABBITMQ, REDIS
from events.conf import BOUNDS
from ordersite.environment import (
    HAS_APPS,
    broker,
    choice,
    env,
    file,
    networks,
    percent,
    refuse_weak,
    report_storage,
    required,
    secret,
    secrets,
    service,
)
from telemetry.logs import FORMATS

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = env.bool("DEBUG", default=False)
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / ".local"))).resolve()
if DEBUG and (DATA_DIR / "environment").is_file():
    # By hand beside a running `make run`: it writes down where its servers are. Real variables win.
    env.read_env(DATA_DIR / "environment")

DATABASE_URL = required("DATABASE_URL", "postgres://user:password@host:5432/ordersite")
BROKER_URL = required("BROKER_URL", "redis://:password@host:6379/0")
_broker = broker("BROKER_URL", BROKER_URL)
# Where the rate limits' counters are, which the web processes share. "": each counts for itself.
LIMITS_URL = secret("LIMITS_URL") or (BROKER_URL if BROKER_URL.startswith(REDIS) else "")
_limits = broker("LIMITS_URL", LIMITS_URL, REDIS) if LIMITS_URL else None
# The servers that `make run` brings, and so data that may be filled with examples.
EMBEDDED = env.bool("EMBEDDED", default=False)
SECRET_KEY = required("SECRET_KEY", "<50 random characters>")
if not (EMBEDDED or DEBUG):
    refuse_weak(SECRET_KEY)
PROCESS_KIND = env.str("PROCESS_KIND", default="")
if HAS_APPS:
    import django_stubs_ext  # which loads Django's models

    django_stubs_ext.monkeypatch()  # lets ModelAdmin[Order] and its like be written at run time

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
BEHIND_TLS_PROXY = env.bool("BEHIND_TLS_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS_PROXY else None
# Django sends it over HTTPS alone.
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=2_592_000)
SECURE_REFERRER_POLICY = "same-origin"  # Django's protection of forms needs the referrer within the site
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for subdomains, and
    "security.W021",  # its preload list: the domain's other names are not ours to decide about
    "security.W008",  # the proxy in front redirects to HTTPS; inside, health checks speak plain http to the process
]
TRUSTED_PROXIES = networks("TRUSTED_PROXIES")
# Cookies go over HTTPS only, except where people reach the site by http on loopback.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS_PROXY or not (
    EMBEDDED or DEBUG or env.bool("INSECURE_COOKIES", default=False)
)

INSTALLED_APPS = [
    "unfold",  # before the admin, whose templates and site it takes the place of
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular_sidecar",
    "knox",
    "django_celery_results",
    "postgres",
    "adminkit",
    "events",
    "rest",
    "users",
    "inventory",
    "orders",
    "notifications",
    "analytics",
    "backoffice",
    "rpc",
    "ordersite",
]

MIDDLEWARE = [
    "telemetry.tracing.TracingMiddleware",
    "telemetry.request_id.RequestIdMiddleware",
    "telemetry.http_metrics.MetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "ordersite.headers.HeadersMiddleware",
    "rest.refused.RefusedMiddleware",
    "rest.limits.middleware.RateLimitMiddleware",
    "rest.middleware.ProblemMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "rest.middleware.ApiPathMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "rest.middleware.HostMiddleware",
    "postgres.replica.ReplicaMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "ordersite.urls"
WSGI_APPLICATION = "ordersite.wsgi.application"
APPEND_SLASH = False
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576  # bytes; the largest body the API needs is about 20 kB

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

CSRF_FAILURE_VIEW = "rest.problems.csrf_failed"

# --- PostgreSQL -------------------------------------------------------------------------------------------------

# Milliseconds. Who is waited for gives up early, so that a blocked request frees its thread and the client gets a 503.
# Workers and relays set their own, shorter than a lease, in each transaction of several statements (events/sql.py).
_timeouts = {"idle_in_transaction_session_timeout": 60_000}
if PROCESS_KIND in ("web", "grpc"):
    _timeouts |= {"lock_timeout": 3_000, "statement_timeout": 10_000, "idle_in_transaction_session_timeout": 15_000}

# Each statement is planned once a connection, and then again only after an ANALYZE: its plan must also do for a table
# that has grown since (docs/decisions/0016-prepared-statements.md).
_planning: dict[str, object] = {"random_page_cost": 1.1}
if PROCESS_KIND == "relay":
    _planning |= {"enable_seqscan": "off"}  # there is an index for everything that it asks
_prepared = env.bool("PREPARED_STATEMENTS", default=True)


def _as_database(url: str, url_file: Path | None, session: dict[str, object]) -> dict[str, Any]:
    """Return an entry of DATABASES. `session` are PostgreSQL's settings of each session."""
    database: dict[str, Any] = dict(environ.Env.db_url_config(url))
    return database | {
        "ENGINE": "postgres",  # the room beside this one
        "URL_FILE": url_file,  # read again for each connection: a password may be changed at run time
        "CONN_MAX_AGE": None,  # a connection per request halves the rate (docs/decisions/0008-servers.md)
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": database.get("OPTIONS", {})
        | {
            "application_name": f"ordersite {PROCESS_KIND}".strip(),
            "connect_timeout": 3,  # seconds
            "server_side_binding": _prepared,
            "prepare_threshold": 5 if _prepared else None,
            "keepalives_idle": 10,  # seconds
            "tcp_user_timeout": 10_000,  # milliseconds: a silent network is an error, not a wait
            "options": " ".join(f"-c {name}={value}" for name, value in session.items()),
        },
    }


DATABASES = {"default": _as_database(DATABASE_URL, file("DATABASE_URL_FILE"), _timeouts | _planning)}
# Where the lists and the figures of the admin, and reports, are read while it is close behind (postgres/replica.py).
REPLICA_URL = secret("DATABASE_REPLICA_URL")
REPLICA_MOST_BEHIND = env.int("REPLICA_MOST_BEHIND", default=10)  # seconds
if REPLICA_URL:
    DATABASES["replica"] = _as_database(REPLICA_URL, file("DATABASE_REPLICA_URL_FILE"), _timeouts | _planning)
    DATABASE_ROUTERS = ["postgres.replica.Router"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"

# --- People -----------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "users.User"
# The first checks passwords. Django's is there for sessions that it has signed in, and for permissions.
AUTHENTICATION_BACKENDS = ["users.backends.PasswordBackend", "django.contrib.auth.backends.ModelBackend"]
# Each takes 19 MiB; one that was stored by an earlier release, 100 MiB.
HASHES_AT_ONCE = max(1, env.int("HASHES_AT_ONCE", default=1))
PASSWORD_HASHERS = [
    "users.hashers.PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["email", "full_name"]},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
REST_KNOX = {
    "AUTH_HEADER_PREFIX": "Bearer",
    "TOKEN_TTL": timedelta(days=env.int("TOKEN_DAYS", default=14)),
}

# --- REST -------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["users.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest.access.DeclaredAccess"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "rest.negotiation.PlainNegotiation",
    "DEFAULT_PARSER_CLASSES": ["rest.parsers.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "rest.pagination.KeysetPagination",
    "DEFAULT_THROTTLE_CLASSES": [
        "rest.limits.throttles.RequestThrottle",
        "rest.limits.throttles.BrakeThrottle",
        "rest.query.UnknownParameters",  # a check of every view, after its permissions
    ],
    "DEFAULT_SCHEMA_CLASS": "rest.openapi.schema.OperationSchema",
    "DEFAULT_METADATA_CLASS": "rest.metadata.PlainMetadata",
    "EXCEPTION_HANDLER": "rest.problems.problem_from_exception",
    "URL_FORMAT_OVERRIDE": None,
}

# What a network may do, IPv6's /48, which many a customer is given whole: as much as so many addresses.
NETWORK = 4
_addresses = {
    "address": (env.int("RATE_LIMIT_ADDRESS", default=600), 60),
    "sign-in-address": (env.int("SIGN_IN_LIMIT_ADDRESS", default=100), 900),
    "registration-address": (env.int("REGISTRATION_LIMIT_ADDRESS", default=100), 3_600),
}
# Name: how many, in how many seconds; 0 is no limit. Why these: docs/decisions/0012-rate-limits.md.
RATE_LIMITS = {
    "user": (env.int("RATE_LIMIT_USER", default=1_200), 60),
    **_addresses,
    **{name.replace("address", "network"): (NETWORK * quota, window) for name, (quota, window) in _addresses.items()},
    # Sign-ins that failed: of one account from one address, of one account from all addresses; and what each address
    # has left for an account that is over the last.
    "sign-in-pair": (env.int("SIGN_IN_LIMIT_PAIR", default=10), 900),
    "sign-in-account": (env.int("SIGN_IN_LIMIT_ACCOUNT", default=100), 900),
    "sign-in-slow": (1, 60),
    # Attempts to register: with one e-mail address from one address, and of everybody.
    "registration-account": (env.int("REGISTRATION_LIMIT_ACCOUNT", default=10), 3_600),
    "registration-all": (env.int("REGISTRATION_LIMIT_ALL", default=1_000), 3_600),
}

API_DESCRIBED = "ordersite.openapi.DESCRIBED"  # what the API's document says beyond its views and serializers
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "COMPONENT_SPLIT_REQUEST": True,  # what a body takes and what an answer holds are described apart
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "GET_MOCK_REQUEST": "rest.openapi.schema.bare_request",
    "POSTPROCESSING_HOOKS": [],
}

IDEMPOTENCY_HOURS = env.int("IDEMPOTENCY_HOURS", default=24)

# --- gRPC (rpc/) -------------------------------------------------------------------------------------

GRPC_PORT = env.int("GRPC_PORT", default=50051)
GRPC_METRICS_PORT = env.int("GRPC_METRICS_PORT", default=0)
# How `manage.py grpc` serves.
GRPC: dict[str, Any] = {
    "address": env.str("GRPC_ADDRESS", default="127.0.0.1"),
    "tokens": secrets("GRPC_SERVICE_TOKENS"),
    "certificate": file("GRPC_TLS_CERTIFICATE"),
    "key": file("GRPC_TLS_KEY"),
    "reflection": env.bool("GRPC_REFLECTION", default=EMBEDDED or DEBUG),
    "threads": env.int("GRPC_THREADS", default=4),
    "most_watchers": env.int("GRPC_MAX_WATCHERS", default=1_000),
}
# Who answers when a mail needs a name and an address: the tables, or a user service at host:port.
USERS_GRPC = {
    "target": service("USERS_GRPC_TARGET", authorities=file("USERS_GRPC_CA")),
    "token": next(iter(secrets("USERS_GRPC_TOKEN")), ""),  # the first, where the file is that of the service
    "authorities": file("USERS_GRPC_CA"),
    # Seconds that an answer may take, with all its tries: well under the soft limit of a mail (notifications/tasks.py).
    "timeout": env.float("USERS_GRPC_TIMEOUT", default=3.0),
}
PEOPLE = "rpc.people.RemotePeople" if USERS_GRPC["target"] else "notifications.people.LocalPeople"

REPORTS_DIR = Path(env.str("REPORTS_DIR", default=str(DATA_DIR / "reports")))
REPORTS_STORAGE = report_storage("REPORTS_STORAGE_URL", folder=REPORTS_DIR)

# --- The bus (events/) ------------------------------------------------------------------------------------------

EVENTS: dict[str, Any] = {
    "SUBSCRIPTIONS": "ordersite.subscriptions",
    "SOURCE": "/ordersite",
    "CELERY": "ordersite.celery.app",
    "METRICS_PREFIX": "ordersite",
    "SERVICES": {"gRPC": "grpc"} if GRPC["tokens"] else {},
    "FLOWER_URL": env.str("FLOWER_URL", default="http://127.0.0.1:5555").rstrip("/"),
    "LOGS_URL": env.str("LOGS_URL", default=""),
    "SECRETS": [
        urlsplit(DATABASE_URL).password,
        urlsplit(REPLICA_URL).password,
        *_broker.passwords,
        *(_limits.passwords if _limits else ()),
        REPORTS_STORAGE["OPTIONS"].get("secret_key"),
    ],
    # EVENTS_LEASE, EVENTS_MAX_ATTEMPTS, ...: each is explained in events/conf.py.
    **{name: env.get_value(f"EVENTS_{name}", cast=type(value), default=value) for name, value in BOUNDS.items()},
}

# --- Reports ------------------------------------------------------------------------------------------------------

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "reports": REPORTS_STORAGE,
}
REPORTS = {
    "SOURCES": "ordersite.reports",
    "RUNNING": env.int("REPORTS_RUNNING", default=3),
    "KEEP_DAYS": env.int("REPORTS_KEEP_DAYS", default=7),
    "LONGEST": env.int(
        "REPORTS_LONGEST", default=1_800
    ),  # seconds, then it is killed; after three quarters it gives up and says why
    "PACE": percent("REPORTS_PACE", default=25),
}
SUMMARY_TO = env.str("SUMMARY_TO", default="")

# --- Celery -----------------------------------------------------------------------------------------------------

CELERY_BROKER_URL = _broker.url
# Where the URL says rediss:// and no more, kombu would take any certificate; Flower's own client reads only this.
CELERY_BROKER_USE_SSL = _broker.tls or False  # to Flower {} would mean TLS
CELERY_RESULT_BACKEND = "ordersite.results:ResultBackend"
CELERY_RESULT_EXTENDED = True
CELERY_RESULT_EXPIRES = None  # ordersite.purge deletes them in chunks; Celery's clean-up would in one transaction
KEEP_RESULTS_DAYS = env.int("RESULTS_KEEP_DAYS", default=30)
CELERY_TASK_TRACK_STARTED = True
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "maintenance"
CELERY_WORKER_SEND_TASK_EVENTS = True  # Flower
CELERY_TASK_SEND_SENT_EVENT = False  # one more message a delivery, for a state that Flower need not show
CELERY_WORKER_PREFETCH_MULTIPLIER = 1  # what one worker hoards, an idle one beside it cannot do
CELERY_WORKER_POOL = "prefork"  # the other pools enforce no time limit
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Tasks between two connections of a pool process to PostgreSQL. By default Celery makes a new one for each task, which
# is more than half of what an order costs (docs/decisions/0008-servers.md).
CELERY_DB_REUSE_MAX = 10_000
CELERY_TIMEZONE = "UTC"
# A worker waits for its broker for ever: it must come back by itself, however long the outage.
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Seconds. Celery's defaults wait for ever on a broker that is frozen. The relay sets shorter ones.
    "socket_timeout": 10,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 20,
    **_broker.options,
}
# Of RabbitMQ: after 20 s of silence a worker connects anew, and again after an error of a channel, such as a queue
# whose node is away; by default it ends. Redis's errors of channels are none to wait out.
CELERY_BROKER_HEARTBEAT = 10
CELERY_BROKER_CHANNEL_ERROR_RETRY = BROKER_URL.startswith(RABBITMQ)
if _broker.queue_type == "quorum":
    CELERY_TASK_DEFAULT_QUEUE_TYPE = CELERY_TASK_CREATE_MISSING_QUEUE_TYPE = "quorum"
# Beat answers `celery inspect ping` while it ticks, and is silent 60 s after its last tick: so its health is asked for.
CELERY_BEAT_ENABLE_REMOTE_CONTROL = True
CELERY_BEAT_MAX_LOOP_INTERVAL = 30  # seconds between two ticks at most
CELERY_BEAT_REMOTE_CONTROL_MAX_TICK_AGE = 60  # seconds
_jobs: dict[str, tuple[str, timedelta | crontab]] = {
    "check-stock": ("inventory.check_stock", timedelta(seconds=env.int("CHECK_STOCK_SECONDS", default=300))),
    "tidy-reports": ("analytics.tidy_reports", timedelta(minutes=1)),
    # Often, since beat may be away when a day ends; each day is told once (analytics/summaries.py).
    "ask-for-summary": ("analytics.ask_for_summary", timedelta(minutes=10)),
    # Each by itself: the failure of one purge does not keep the others from their work.
    **{
        f"purge-{app}": (f"{app}.purge", crontab(minute="17", hour="3"))
        for app in ("events", "orders", "users", "analytics", "ordersite")
    },
}
CELERY_BEAT_SCHEDULE = {
    # django-celery-results shows the name in the header.
    name: {"task": task, "schedule": schedule, "options": {"headers": {"periodic_task_name": name}}}
    for name, (task, schedule) in _jobs.items()
}

# --- Mail -------------------------------------------------------------------------------------------------------

# Every mail is kept as a notification and can be read in the admin; with the embedded default it goes no further.
_email = environ.Env.email_url_config(secret("EMAIL_URL") or "dummymail://")
EMAIL_BACKEND = _email["EMAIL_BACKEND"]
EMAIL_HOST = _email.get("EMAIL_HOST") or "localhost"
EMAIL_PORT = _email.get("EMAIL_PORT") or 25
EMAIL_HOST_USER = _email.get("EMAIL_HOST_USER") or ""
EMAIL_HOST_PASSWORD = _email.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS = _email.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = _email.get("EMAIL_USE_SSL", False)
# Seconds to connect, and for each answer. Short ones make servers that check a mail after DATA send it twice
# (RFC 5321, 4.5.3.2); below the soft limit of the mail handlers (notifications/tasks.py).
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT", default=20)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Ordersite <shop@example.com>")

# --- Pages ------------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles")))
WHITENOISE_USE_FINDERS = EMBEDDED or DEBUG
UNFOLD = {
    "SITE_TITLE": "Ordersite",
    "SITE_HEADER": "Ordersite",
    "SITE_SYMBOL": "receipt_long",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "backoffice.navigation.icon"}],
    "SITE_URL": "/api/docs",
    "COLORS": {"primary": {"500": "oklch(71.4% .203 305.504)"}},  # unfold's own cannot be read well on its dark pages
    "SHOW_BACK_BUTTON": True,
    "DASHBOARD_CALLBACK": "backoffice.navigation.dashboard",
    "STYLES": ["backoffice.navigation.style_sheet"],
    "SCRIPTS": ["backoffice.navigation.script"],
    "SIDEBAR": {"navigation": "backoffice.navigation.navigation"},
}

# --- Logs -------------------------------------------------------------------------------------------------------

LOG_FORMAT = choice("LOG_FORMAT", FORMATS, default="text" if DEBUG or EMBEDDED else "json")
logging.captureWarnings(True)  # Python's warnings are lines as all others
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "request_id": {"()": "events.correlation.RequestIdFilter"},
        "only_failures": {"()": "telemetry.logs.OnlyFailures"},
        "only_plain_tasks": {"()": "telemetry.logs.OnlyPlainTasks"},
    },
    "formatters": {"line": {"()": "telemetry.logs.make_formatter", "kind": LOG_FORMAT}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]},
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django.server": {"propagate": True},
        "django.request": {"filters": ["only_failures"]},
        "celery.app.trace": {"filters": ["only_plain_tasks"]},
        "celery.worker.strategy": {"level": "WARNING"},  # that a task was received: the line of its end says it too
        "celery.redirected": {"level": "WARNING"},
        "kombu": {"level": "WARNING"},
        # What it ignores while a lost connection's pipeline ends: the error that is raised says it.
        "psycopg": {"level": "ERROR"},
        # Flower keeps its refused requests to itself; with its handler gone they would be printed bare.
        "tornado.access": {"level": "WARNING", "propagate": True},
        # Flower lists every task at its start, and asks workers that are only starting too.
        "flower.command": {"level": "WARNING"},
        "flower.inspector": {"level": "ERROR"},
    },
}
