"""`python -m benchmarks.conditional`: what an answer costs whose reader has the present version, beside the whole one.

One connection, one request after the other, both kinds in turns; medians, and the ratio that counts.
"""

import http.client
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.apps import ORDERSITE
from benchmarks.load import TIMEOUT, Shop
from benchmarks.system import running
from local.servers import start_servers

SKUS = [f"SKU-{n}" for n in range(5)]
ROUNDS, REQUESTS = 10, 200
"""So many turns, and requests of each kind in each of them."""


def main() -> int:
    """Measure an order of five lines and a product; print a line for each."""
    folder = Path(tempfile.mkdtemp(prefix="ordersite-conditional-"))
    with ExitStack() as stack:
        file = stack.enter_context((folder / "log").open("w"))

        def log(name: str, line: str) -> None:
            file.write(f"{name} | {line}\n")

        servers = stack.enter_context(start_servers(folder, log=log))
        system = stack.enter_context(running(ORDERSITE, servers, folder, log))
        shop = system.start(dict.fromkeys(SKUS, 1_000), buyers=1)
        system.supervisor.processes["relay"].stop(5)  # the order stays as it is
        reader = Reader(shop)
        order = reader.place_order()
        for name, path in {"an order": f"{shop.path}/{order}", "a product": f"/api/v1/products/{SKUS[0]}"}.items():
            print(compare(reader, name, path), flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    return 0


class Reader:
    """A client that keeps its connection."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=TIMEOUT)

    def place_order(self) -> str:
        """Place an order with a line of each product; return its id."""
        body = json.dumps({"items": [{"sku": sku, "quantity": 1} for sku in SKUS]})
        self._connection.request("POST", self._shop.path, body, self._headers({"Content-Type": "application/json"}))
        return str(json.loads(self._connection.getresponse().read())["id"])

    def get(self, path: str, etag: str = "") -> tuple[int, str]:
        """Return the status and the ETag."""
        self._connection.request("GET", path, headers=self._headers({"If-None-Match": etag} if etag else {}))
        answer = self._connection.getresponse()
        answer.read()
        return answer.status, answer.headers["ETag"]

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        return {"Authorization": self._shop.authorizations[0], **more}


def compare(reader: Reader, name: str, path: str) -> str:
    """Return a line with the medians and their ratio."""
    etag = reader.get(path)[1]
    whole, unchanged = [], []
    for _ in range(ROUNDS):
        whole += [seconds(reader, path, "", 200) for _ in range(REQUESTS)]
        unchanged += [seconds(reader, path, etag, 304) for _ in range(REQUESTS)]
    full, short = 1000 * median(whole), 1000 * median(unchanged)
    return f"{name}: 200 in {full:.2f} ms, 304 in {short:.2f} ms, ratio {short / full:.2f}"


def seconds(reader: Reader, path: str, etag: str, status: int) -> float:
    """Return how long a request took. Raises RuntimeError where the answer is another."""
    start = time.perf_counter()
    answer = reader.get(path, etag)[0]
    if answer != status:
        raise RuntimeError(f"{path} was answered {answer}, not {status}")
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
