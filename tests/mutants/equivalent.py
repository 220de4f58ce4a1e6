"""Faults that change nothing that a test could see, each with the reason why."""

EQUIVALENT: dict[str, str] = {}
