"""What the sales page tells of a period, from the projections that analytics.track_order keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from analytics.days import DAY
from analytics.selectors import SalesQuery, currencies, sales, top_products
from values.money import decimals_of

TOP = 10  # products of a chart
SAID = {"pending": "placed"}  # what the page calls a status that an order reached; others by their own names
REACHED = ("placed", "confirmed", "rejected", "cancelled", "fulfilled")
WORTH = ("confirmed", "fulfilled", "cancelled")

Lines = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Chart:
    """Lines, or one line of bars, with a value for each label."""

    labels: Sequence[str]
    lines: Lines


@dataclass(frozen=True)
class Totals:
    """The sums of a period, in one currency: what confirmed orders come to, and shares of 1; None of nothing."""

    placed: int
    confirmed: int
    revenue: float
    average: float | None
    rejected: float | None
    cancelled: float | None


@dataclass(frozen=True)
class Figures:
    """Everything about a period, in one currency. `currencies`: those of which there are any."""

    currency: str
    decimals: int
    currencies: Sequence[str]
    totals: Totals
    charts: Mapping[str, Chart]


def figures(start: date, end: date, interval: str, currency: str | None = None) -> Figures:
    """Return the figures of days (UTC), both included; without a currency in the one that most orders are in."""
    found = currencies(start, end)
    chosen = currency or (found[0] if found else "")
    query = SalesQuery(start=start, end=end, interval=interval, currency=chosen)
    starts = first_days(start, end, interval)
    counts, worth = _lines(starts, query)
    return Figures(
        currency=chosen,
        decimals=decimals_of(chosen),
        currencies=found,
        totals=_totals(counts, worth, decimals_of(chosen)),
        charts={
            "revenue": _over_time(starts, {name: worth[name] for name in WORTH}),
            "orders": _over_time(starts, counts),
            "products": _top(query, "confirmed", "total"),
            "rejections": _over_time(starts, {"rejected": counts["rejected"]}),
            "short": _top(query, "rejected", "pieces"),
        },
    )


def first_days(start: date, end: date, interval: str) -> Sequence[date]:
    """Return the first day of each interval of a period; weeks begin on Monday, and the first may begin before it."""
    days = (start + number * DAY for number in range((end - start).days + 1))
    return sorted({_first_day(day, interval) for day in days})


def _first_day(day: date, interval: str) -> date:
    if interval == "week":
        return day - day.weekday() * DAY
    return day.replace(day=1) if interval == "month" else day


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
    return Chart([day.isoformat() for day in starts], lines)


def _top(query: SalesQuery, status: str, by: str) -> Chart:
    """Return the products of which most came of orders that reached a status: by `total`, or by `pieces`."""
    rows = list(top_products(query, status=status, by=by, most=TOP))
    return Chart([row["sku"] for row in rows], {by: [float(row[by]) for row in rows]})


def _totals(counts: Lines, worth: Lines, decimals: int) -> Totals:
    sums = {name: sum(line) for name, line in counts.items()}
    revenue = round(sum(worth["confirmed"]), decimals)
    return Totals(
        placed=int(sums["placed"]),
        confirmed=int(sums["confirmed"]),
        revenue=revenue,
        average=_share(revenue, sums["confirmed"]),
        rejected=_share(sums["rejected"], sums["placed"]),
        cancelled=_share(sums["cancelled"], sums["placed"]),
    )


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
