# One image for every process: web, relay, workers, beat, Flower, migrate. docker-compose.yml runs them.
# Pinned to its digest: `make pin` moves it to what the tag names now (docs/docker.md).
FROM python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b AS base

FROM base AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /venv
COPY requirements-s3.lock .
RUN /venv/bin/pip install --require-hashes --no-deps -r requirements-s3.lock
COPY . /app
WORKDIR /app
# The admin's files. Collecting them connects to nothing, but the settings ask for the three.
RUN DATABASE_URL=postgres://x@localhost/x BROKER_URL=redis://localhost \
    SECRET_KEY=only-for-collectstatic-0123456789-0123456789-0123456789 \
    /venv/bin/python manage.py collectstatic --noinput \
 && /venv/bin/python -m compileall -q /app

FROM base
# All of the code is root's: the processes run as somebody who can write nothing but /tmp and, where volumes are, /state
# and /reports.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin ordersite \
 && install -d -o ordersite /state \
 && install -d -m 700 -o ordersite -g ordersite /reports
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER ordersite
EXPOSE 8000
CMD ["python", "-m", "web", "--host", "0.0.0.0", "--port", "8000"]
