"""Reads the code out of a page of the documentation."""

from testing import ROOT


def code(page: str, language: str) -> str:
    """The fenced blocks of a language, with every other line of the page left empty: tracebacks tell its lines."""
    found: list[str] = []
    inside = ""
    for line in (ROOT / page).read_text().splitlines():
        fence = line.startswith("```")
        found.append(line if inside == language and not fence else "")
        if fence:
            inside = "" if inside else line.removeprefix("```") or "text"
    return "\n".join(found)


def commands(page: str) -> list[str]:
    """The lines of all shell blocks."""
    return [line for line in code(page, "sh").splitlines() if line]
