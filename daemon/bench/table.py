"""The result of a measurement, and the only writer of the table: terminal and file get the same text (Markdown).

Not here: anything that measures.
"""

from dataclasses import dataclass, field, replace


@dataclass
class Row:
    """One line of the table. Figures are formatted, with their unit."""

    what: str
    perch: str
    peer: str
    compared: str = ""
    """Perch against the peer, in words that begin with the ratio, more is better: "6.3 × less", "1.08 × (0.97 to 1.12)"."""
    target: str = ""
    met: bool | None = None
    """None: no target, shown for orientation."""


@dataclass
class Result:
    """The result of a measurement: its rows, and what exactly was counted, so that a reader can repeat it."""

    title: str
    peer: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str | None = None
    """Why the measurement failed. Its rows are then unreliable."""


def median_of(runs: list[list[Result]]) -> list[Result]:
    """The results of several runs as one: each row is that of the median run, with the least and the greatest ratio of all runs. Runs are odd in number;
    a measurement that failed in one has failed."""
    if len(runs) == 1:
        return runs[0]
    together = []
    for results in zip(*runs):
        failed = [result for result in results if result.error]
        rows = [] if failed else [_median_row(rows) for rows in zip(*(result.rows for result in results))]
        last = failed[0] if failed else results[-1]
        together.append(Result(last.title, last.peer, rows, last.notes, last.error))
    return together


def _median_row(rows: tuple[Row, ...]) -> Row:
    if not all(row.compared[:1].isdigit() for row in rows):
        return rows[-1]
    ordered = sorted(rows, key=lambda row: float(row.compared.split()[0].replace(",", "")))
    least, median, greatest = (row.compared.split(" (")[0] for row in (ordered[0], ordered[len(rows) // 2], ordered[-1]))
    return replace(ordered[len(rows) // 2], compared=f"{median} ({least.split()[0]} to {greatest.split()[0]})")


def render(machine: list[tuple[str, str]], results: list[Result]) -> str:
    """The whole report as Markdown."""
    out = ["# Perch against its peers", ""]
    out += _table([("", ""), *machine])
    for result in results:
        out += section(result)
    out += ["", _verdict(results), ""]
    return "\n".join(out)


def section(result: Result) -> list[str]:
    """The lines of one result."""
    out = ["", f"## {result.title}", ""]
    if result.error:
        out.append(f"**Could not be measured:** {result.error}")
    else:
        head = ("measured", "Perch", result.peer, "Perch against it", "target", "met")
        out += _table([head, *map(_cells, result.rows)])
    if result.notes:
        out += ["", *(f"- {note}" for note in result.notes)]
    return out


def _cells(row: Row) -> tuple[str, ...]:
    met = {True: "yes", False: "NO", None: ""}[row.met]
    return (row.what, row.perch, row.peer, row.compared, row.target, met)


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]

    def line(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |"

    head, *body = rows
    return [line(head), "| " + " | ".join("-" * max(width, 3) for width in widths) + " |", *map(line, body)]


def _verdict(results: list[Result]) -> str:
    judged = [row.met for result in results for row in result.rows if row.met is not None]
    failed = [result.title for result in results if result.error]
    text = f"{sum(judged)} of {len(judged)} targets met."
    return text + (f" Not measured: {', '.join(failed)}." if failed else "")


def size(count: float) -> str:
    """Bytes for people, decimal units."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.2f} {unit}"
    return f"{count:.0f} B"


def milliseconds(seconds: float) -> str:
    """A short time for people."""
    return f"{seconds * 1e3:.0f} ms" if seconds >= 0.1 else f"{seconds * 1e3:.1f} ms"
