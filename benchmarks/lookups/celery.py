"""A queue that answers: a Celery app of its own, whose answers come back over the broker, which is its fastest way."""

import os
from uuid import UUID

from celery import Celery
from celery.signals import worker_process_init
from django.db import close_old_connections

app = Celery("lookups", broker=os.environ["BROKER_URL"], backend=os.environ["BROKER_URL"])
app.conf.update(task_default_queue="lookups", worker_prefetch_multiplier=1, result_expires=60, db_reuse_max=10_000)


@worker_process_init.connect
def have_django(**_: object) -> None:
    """Set Django up in each process of the pool."""
    import django

    django.setup()


@app.task(name="lookups.name_and_address")
def name_and_address(user_id: str) -> dict[str, str]:
    """Look a person up, as the user service does."""
    from users.selectors import find_users

    close_old_connections()
    user = find_users([UUID(user_id)])[UUID(user_id)]
    return {"id": user_id, "email": user.email, "full_name": user.full_name}
