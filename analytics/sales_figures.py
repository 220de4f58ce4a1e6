"""What the sales page tells of a period, from the projections that analytics.track_order keeps."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from analytics.days import DAY
from analytics.selectors import SalesQuery, currencies, sales, top_products
from values.money import decimals_of

TOP = 10  # products of a chart
SAID = {"pending": "placed"}  # what the page calls a status that an order reached; others by their own names
REACHED = ("placed", "confirmed", "rejected", "cancelled", "fulfilled")
WORTH = ("confirmed", "fulfilled", "cancelled")

Lines = Mapping[str, Sequence[float]]
Chart = Mapping[str, Any]  # {"labels": [...], "lines": {name: [a value for each label]}}


def figures(start: date, end: date, interval: str, currency: str | None = None) -> Mapping[str, Any]:
    """Return the figures of days (UTC), both included; without a currency in the one that most orders are in.

    `currencies` are those of which there are any.
    """
    found = currencies(start, end)
    chosen = currency or (found[0] if found else "")
    query = SalesQuery(start=start, end=end, interval=interval, currency=chosen)
    starts = first_days(start, end, interval)
    counts, worth = _lines(starts, query)
    return {
        "currency": chosen,
        "decimals": decimals_of(chosen),
        "currencies": found,
        "totals": _totals(counts, worth, decimals_of(chosen)),
        "charts": {
            "revenue": _over_time(starts, {name: worth[name] for name in WORTH}),
            "orders": _over_time(starts, counts),
            "products": _top(query, "confirmed", "total"),
            "rejections": _over_time(starts, {"rejected": counts["rejected"]}),
            "short": _top(query, "rejected", "pieces"),
        },
    }


def first_days(start: date, end: date, interval: str) -> Sequence[date]:
    """Return the first day of each interval of a period; weeks begin on Monday, and the first may begin before it."""
    days = {start + number * DAY for number in range((end - start).days + 1)}
    if interval == "week":
        days = {day - day.weekday() * DAY for day in days}
    if interval == "month":
        days = {day.replace(day=1) for day in days}
    return sorted(days)


def _lines(starts: Sequence[date], query: SalesQuery) -> tuple[Lines, Lines]:
    """Return, by what orders reached, how many did in each interval, and what those come to."""
    counts: dict[str, list[float]] = {name: [0] * len(starts) for name in REACHED}
    worth: dict[str, list[float]] = {name: [0] * len(starts) for name in REACHED}
    places = {day: number for number, day in enumerate(starts)}
    for row in sales(query):
        name, place = SAID.get(row["status"], row["status"]), places[row["first_day"]]
        counts[name][place] = row["order_count"]
        worth[name][place] = float(row["total"])
    return counts, worth


def _over_time(starts: Sequence[date], lines: Lines) -> Chart:
    return {"labels": [day.isoformat() for day in starts], "lines": lines}


def _top(query: SalesQuery, status: str, by: str) -> Chart:
    """Return the products of which most came of orders that reached a status: by `total`, or by `pieces`."""
    rows = list(top_products(query, status=status, by=by, most=TOP))
    return {"labels": [row["sku"] for row in rows], "lines": {by: [float(row[by]) for row in rows]}}


def _totals(counts: Lines, worth: Lines, decimals: int) -> Mapping[str, float | None]:
    """Return the sums of a period: `revenue` is what confirmed orders come to; shares are of 1, None of nothing."""
    sums = {name: sum(line) for name, line in counts.items()}
    revenue = round(sum(worth["confirmed"]), decimals)
    return {
        "placed": sums["placed"],
        "confirmed": sums["confirmed"],
        "revenue": revenue,
        "average": _share(revenue, sums["confirmed"]),
        "rejected": _share(sums["rejected"], sums["placed"]),
        "cancelled": _share(sums["cancelled"], sums["placed"]),
    }


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
