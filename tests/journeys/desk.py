"""The admin as a person's browser uses it, without the browser."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx


@contextmanager
def desk(web: str, email: str, password: str) -> Iterator[httpx.Client]:
    """Sign in, and return what keeps the cookies until the block ends."""
    with httpx.Client(base_url=web, timeout=15) as client:
        client.get("/admin/login/")
        answer = post(client, "/admin/login/", username=email, password=password, next="/admin/")
        assert answer.status_code == 302, answer.text
        yield client


def post(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """Send a form, with the token against forgery."""
    return client.post(path, data={**fields, "csrfmiddlewaretoken": client.cookies["csrftoken"]})
