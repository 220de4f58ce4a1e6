"""Hands mails to a server over one connection: where it offers PIPELINING (RFC 2920), without waiting for each reply.

Then a mail costs one wait in place of four: its text leaves together with the next mail's sender and recipient. The
next one's text waits until the server has taken this one, so no more than one mail is ever in doubt.
"""

import re
import smtplib
from collections.abc import Generator, Sequence
from email.policy import Compat32
from functools import lru_cache
from uuid import uuid4

from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import sanitize_address

OK, FORWARDED, GO_ON = 250, 251, 354


class AsTheyAre(Compat32):
    """Writes headers as Django has them: encoded, and folded where that makes them long.

    To look through each once more takes as long as all else of writing a mail.
    """

    def fold_binary(self, name: str, value: str) -> bytes:
        """Return the header's line, or lines."""
        return f"{name}: {value}\n".replace("\n", self.linesep).encode("ascii")


def connect(backend: BaseEmailBackend) -> None:
    """Connect, sign in where the settings say so, and ask the server what it offers. Raises as smtplib does."""
    backend.open()
    if smtp := _smtp(backend):
        smtp.ehlo_or_helo_if_needed()


def _smtp(backend: BaseEmailBackend) -> smtplib.SMTP | None:
    """Return the connection of a backend that is open; None for one that is not of SMTP."""
    smtp = getattr(backend, "connection", None)
    return smtp if isinstance(smtp, smtplib.SMTP) else None


def transmit(mails: Sequence[EmailMultiAlternatives], backend: BaseEmailBackend) -> Generator[None]:
    """Send the mails, each to one person, in order, over what is connected; yield after each that the server has taken.

    Raises what smtplib does at the first that fails: the others have not left then.
    """
    smtp = _smtp(backend)
    if smtp and smtp.has_extn("pipelining"):
        yield from _pipelined(mails, smtp)
        return
    for mail in mails:
        backend.send_messages([mail])
        yield


def _pipelined(mails: Sequence[EmailMultiAlternatives], smtp: smtplib.SMTP) -> Generator[None]:
    envelopes = [_envelope(mail) for mail in mails]
    try:
        smtp.send(envelopes[0])
        for mail, next_envelope in zip(mails, [*envelopes[1:], b""], strict=True):
            _see_accepted(mail, smtp)
            smtp.send(_text(mail) + next_envelope)
            code, reply = smtp.getreply()
            if code != OK:
                raise smtplib.SMTPDataError(code, reply)
            yield
    except BaseException:
        smtp.close()  # the server may wait for the text of the next one: it would take QUIT for that
        raise


def _envelope(mail: EmailMultiAlternatives) -> bytes:
    """Return the commands that come before a mail's text."""
    (to,) = mail.to
    return f"MAIL FROM:{_address(mail.from_email)}\r\nRCPT TO:{_address(to)}\r\nDATA\r\n".encode("ascii")


@lru_cache(maxsize=1_000)
def _address(text: str) -> str:
    """Return an address as the commands take it. It is kept: the sender is the same in all mails."""
    return smtplib.quoteaddr(sanitize_address(text, "utf-8"))


def _text(mail: EmailMultiAlternatives) -> bytes:
    """Return the mail as it is sent after DATA: what begins with a dot has one more, and a dot by itself ends it."""
    message = mail.message()
    message.policy = AsTheyAre()
    if message.is_multipart():
        message.set_boundary(f"part-{uuid4()}")  # else the library looks through the text, by a pattern made for it
    text = re.sub(rb"(?m)^\.", b"..", message.as_bytes(linesep="\r\n"))  # type: ignore[call-arg]  # Django's
    return text.removesuffix(b"\r\n") + b"\r\n.\r\n"


def _see_accepted(mail: EmailMultiAlternatives, smtp: smtplib.SMTP) -> None:
    """Read the answers to a mail's envelope. Raises what smtplib does."""
    code, reply = smtp.getreply()
    if code != OK:
        raise smtplib.SMTPSenderRefused(code, reply, mail.from_email)
    code, reply = smtp.getreply()
    if code not in (OK, FORWARDED):
        raise smtplib.SMTPRecipientsRefused({mail.to[0]: (code, reply)})
    code, reply = smtp.getreply()
    if code != GO_ON:
        raise smtplib.SMTPDataError(code, reply)
