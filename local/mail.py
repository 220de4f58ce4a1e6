"""A mail server for `make run`: it takes every mail and drops it, since each is kept as a notification anyway.

While the file DATA_DIR/mail-answer exists, its text is the answer to every mail instead: so `make demo-failure`
breaks the mail and mends it.
"""

import signal
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

ANSWER_FILE = "mail-answer"


class MailServer:
    """Answers 250 to every mail, or what the file says."""

    def __init__(self, data_dir: Path) -> None:
        self._answer = data_dir / ANSWER_FILE

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        """Offer what aiosmtpd can do and does not say: it reads one command after the other, however they come."""
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        return self.answer()

    def answer(self) -> str:
        """Return the SMTP answer that holds at the moment."""
        try:
            return self._answer.read_text().strip() or "250 taken"
        except FileNotFoundError:
            return "250 taken"


def main(port: int, data_dir: Path) -> None:
    controller = Controller(MailServer(data_dir), hostname="127.0.0.1", port=port)
    controller.start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    controller.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
