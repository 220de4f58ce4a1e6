"""A road to the shop on which the answer to the first order is lost."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.journeys.client import TIMEOUT

HOP_BY_HOP = {"connection", "host", "transfer-encoding"}


class Lossy(ThreadingHTTPServer):
    """Passes requests on to the shop, on a port of its own. `lost` is the status that nobody was told."""

    def __init__(self, shop: str) -> None:
        super().__init__(("127.0.0.1", 0), Passing)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.shop = shop
        self.lost = 0


class Passing(BaseHTTPRequestHandler):
    server: Lossy

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        request = Request(self.server.shop + self.path, body, headers, method=self.command)
        try:
            with urlopen(request, timeout=TIMEOUT) as answer:
                self._answer(answer.status, answer.read())
        except HTTPError as error:
            with error:
                self._answer(error.code, error.read())

    def _answer(self, status: int, body: bytes) -> None:
        if self.path.endswith("/orders") and not self.server.lost:
            self.server.lost = status
            return
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._pass()

    def do_POST(self) -> None:
        self._pass()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
