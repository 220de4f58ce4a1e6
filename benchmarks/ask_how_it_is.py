"""Asks PostgreSQL what the operations page and /metrics ask; prints the milliseconds of each try as JSON.

Argument: how often. Everything is asked once before, so that it is warm, as it is for who looks every five seconds.
"""

import json
import sys
import time
from collections.abc import Callable

import django


def main(times: int) -> dict[str, list[float]]:
    """Return the milliseconds by question."""
    django.setup()
    from events.operations.figures import SPANS, figures
    from events.operations.metrics import look

    questions: dict[str, Callable[[], object]] = {f"page, the last {span}": _page(figures, span) for span in SPANS}
    questions["/metrics"] = look
    return {name: _timed(question, times) for name, question in questions.items()}


def _page(figures: Callable[[str], object], span: str) -> Callable[[], object]:
    return lambda: figures(span)


def _timed(question: Callable[[], object], times: int) -> list[float]:
    question()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        question()
        found.append((time.perf_counter() - began) * 1_000)
    return found


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
