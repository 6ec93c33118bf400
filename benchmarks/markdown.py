"""The report as text: Markdown that can be read as it is."""

import statistics
from collections.abc import Sequence

from aims import Verdict
from report import YARDSTICKS, Row, figures_of


def text(
    table: Sequence[Row],
    verdicts: Sequence[Verdict],
    facts: dict[str, str],
    placements: dict[str, str],
) -> str:
    """The whole report."""
    parts = ["\n".join(f"- {name}: {value}" for name, value in facts.items())]
    for placement in dict.fromkeys(row.placement for row in table):
        shown = [row for row in table if row.placement == placement]
        parts.append(f"{placements[placement]}\n\n{_figures(shown)}")
    if verdicts:
        reached = sum(verdict.is_reached for verdict in verdicts)
        parts.append(f"Aims: {reached} of {len(verdicts)} reached in this run.\n\n")
        parts[-1] += _aims(verdicts)
    parts.append("How each figure is defined:\n\n" + "\n".join(_definitions(table)))
    return "\n\n".join(parts)


def _definitions(table: Sequence[Row]) -> list[str]:
    return [
        f"- **{figure.title}** ({figure.unit}, {figure.better} is better): {figure.definition}."
        for figure in figures_of(table)
    ]


def _figures(shown: Sequence[Row]) -> str:
    yardsticks = [name for name in YARDSTICKS if any(name in row.ratios for row in shown)]
    head = ["figure", "better", "client", "median", *(f"x {name}" for name in yardsticks)]
    return _table([head, *(_figure_cells(row, yardsticks) for row in shown)])


def _figure_cells(row: Row, yardsticks: Sequence[str]) -> list[str]:
    median = f"{row.median:,.{row.figure.digits}f} {row.figure.unit}"
    compared = [_comparison(row, name) if name in row.ratios else "" for name in yardsticks]
    return [row.figure.title, row.figure.better, row.client, median, *compared]


def _comparison(row: Row, yardstick: str) -> str:
    ratios = row.ratios[yardstick]
    cell = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    if row.figure.shows_difference:
        difference = statistics.median(row.differences[yardstick])
        cell += f", {difference:+.{row.figure.digits}f} {row.figure.unit}"
    return cell


def _aims(verdicts: Sequence[Verdict]) -> str:
    head = ["figure", "client", "compared with", "placement", "aim", "seen", "reached"]
    return _table([head, *(_aim_cells(verdict) for verdict in verdicts)])


def _aim_cells(verdict: Verdict) -> list[str]:
    return [
        verdict.title,
        verdict.client,
        verdict.compared_with,
        verdict.placement,
        verdict.wanted,
        f"{verdict.seen:.2f}",
        "yes" if verdict.is_reached else "no",
    ]


def _table(lines: list[list[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"
