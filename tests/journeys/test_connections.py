"""A client keeps its connection, whatever it was answered."""

import socket
from http.client import HTTPResponse
from urllib.parse import urlsplit

import pytest

from tests.journeys.system import System

HEAD = "POST /api/v1/{} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
BODY = b'{"items": []}'
EARLY = 0.5  # seconds in which an answer would have come that does not wait for the body


def answer(connection: socket.socket) -> int:
    response = HTTPResponse(connection)
    response.begin()
    response.read()
    return response.status


@pytest.mark.parametrize(("path", "status"), [("orders", 401), ("products", 401), ("nowhere", 404), ("health", 404)])
def test_a_refused_request_whose_body_is_late_leaves_the_connection_to_the_next(
    system: System, path: str, status: int
) -> None:
    address = urlsplit(system.web)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        for _ in range(2):
            connection.sendall(HEAD.format(path, len(BODY)).encode())
            connection.settimeout(EARLY)
            with pytest.raises(TimeoutError):
                connection.recv(1, socket.MSG_PEEK)
            connection.settimeout(10)
            connection.sendall(BODY)
            assert answer(connection) == status
