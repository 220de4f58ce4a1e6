"""What goes over the wire to a server that offers PIPELINING: one that is scripted, and answers late."""

import smtplib
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes, policy

import pytest
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend

from notifications.transmission import _text, connect, transmit

SECONDS = 5.0  # in which a client that waits for an answer too early has failed
ENVELOPE = b"MAIL FROM:<shop@example.com>\r\nRCPT TO:<ada@example.com>\r\nDATA\r\n"
ACCEPTED = b"250 OK\r\n250 OK\r\n354 go on\r\n"


class Script:
    """A mail server that says what a test has it say, when it has heard what it is to hear."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(SECONDS)
        self.port = self._server.getsockname()[1]

    def accept(self) -> None:
        self.client, _ = self._server.accept()
        self.client.settimeout(SECONDS)
        self.client.sendall(b"220 here\r\n")
        self.hear(b"\r\n")
        self.client.sendall(b"250-here\r\n250 PIPELINING\r\n")

    def hear(self, end: bytes) -> bytes:
        """Return what comes, to this end."""
        heard = b""
        while not heard.endswith(end):
            chunk = self.client.recv(65_536)
            assert chunk, f"the client closed after {heard!r}"
            heard += chunk
        return heard

    def close(self) -> None:
        self.client.close()
        self._server.close()


@pytest.fixture
def server() -> Iterator[Script]:
    server = Script()
    yield server
    server.close()


def mails(*texts: str) -> Sequence[EmailMultiAlternatives]:
    return [EmailMultiAlternatives("Hello", text, "Shop <shop@example.com>", ["ada@example.com"]) for text in texts]


def sent(port: int, *texts: str) -> tuple[int, Exception | None]:
    """Transmit; return how many were taken, and what was raised."""
    backend = EmailBackend(host="127.0.0.1", port=port, timeout=SECONDS)
    connect(backend)
    taken = 0
    try:
        for _ in transmit(mails(*texts), backend):
            taken += 1
    except smtplib.SMTPException as error:
        return taken, error
    finally:
        backend.close()
    return taken, None


def test_a_text_leaves_with_the_next_mails_envelope_and_waits_for_no_answer_in_between(server: Script) -> None:
    with ThreadPoolExecutor() as pool:
        result = pool.submit(sent, server.port, "one", ".two\n..\nend")
        server.accept()
        assert server.hear(b"DATA\r\n") == ENVELOPE
        server.client.sendall(ACCEPTED)
        first = server.hear(b"DATA\r\n")
        assert first.endswith(b"\r\n\r\none\r\n.\r\n" + ENVELOPE)
        server.client.sendall(b"250 taken\r\n" + ACCEPTED)
        assert server.hear(b"\r\n.\r\n").endswith(b"\r\n\r\n..two\r\n...\r\nend\r\n.\r\n")
        server.client.sendall(b"250 taken\r\n")
        assert server.hear(b"quit\r\n") == b"quit\r\n"
        server.client.sendall(b"221 bye\r\n")
        assert result.result() == (2, None)


@pytest.mark.parametrize("subject", ["Hello", "Grüße " * 30, "long words " * 30, "ßüö" * 80])
def test_a_mail_says_what_it_was_given_in_lines_that_every_server_takes(subject: str) -> None:
    to = "Zoë <ada@xn--strae-oqa.example>"
    mail = EmailMultiAlternatives(subject.strip(), "Größe: 3\n", "Der Laden ß <shop@example.com>", [to])
    mail.attach_alternative("<p>Größe: 3</p>", "text/html")
    wire = _text(mail).removesuffix(b".\r\n")
    assert wire.count(b"\n") == wire.count(b"\r\n")
    assert max(map(len, wire.split(b"\r\n"))) < 998  # RFC 5322, 2.1.1
    read = message_from_bytes(wire, policy=policy.default)
    assert (read["Subject"], read["From"], read["To"]) == (mail.subject, mail.from_email, to)
    plain, html = (part.get_content().strip() for part in read.iter_parts())
    assert (plain, html) == ("Größe: 3", "<p>Größe: 3</p>")


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        (b"451 not now\r\n", smtplib.SMTPSenderRefused),
        (b"250 OK\r\n550 nobody here\r\n354 go on\r\n", smtplib.SMTPRecipientsRefused),
        (b"250 OK\r\n250 OK\r\n554 no\r\n", smtplib.SMTPDataError),
        (ACCEPTED + b"552 too large\r\n" + ACCEPTED, smtplib.SMTPDataError),
        (b"", smtplib.SMTPServerDisconnected),
    ],
)
def test_after_a_refusal_it_hangs_up_so_that_no_other_text_is_taken_for_this_one(
    server: Script, answers: bytes, error: type[Exception]
) -> None:
    with ThreadPoolExecutor() as pool:
        result = pool.submit(sent, server.port, "one", "two")
        server.accept()
        server.hear(b"DATA\r\n")
        server.client.sendall(answers)
        if not answers:
            server.client.shutdown(socket.SHUT_WR)
        heard = b"".join(iter(lambda: server.client.recv(65_536), b""))
        assert b"two" not in heard
        assert b"quit" not in heard
        taken, raised = result.result()
        assert (taken, type(raised)) == (0, error)
