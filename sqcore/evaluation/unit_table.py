"""Units compared: in the order of the tree, or of a number with the places that may be theirs."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sqcore.evaluation import queries
from sqcore.evaluation.chosen import Chosen
from sqcore.evaluation.figures import Figure, UnitLine
from sqcore.evaluation.forms import Asked
from sqcore.evaluation.tables import Row, natural_value, target_of, verdict_on
from sqcore.evaluation.wording import mark_of, step_in_points
from sqcore.indicators.definition import SystemDefinition, counts_of_code
from sqcore.stats.ranks import places

WIDE = 2 * 1.959964
"""So many standard errors a 95 % interval is wide, if they are known."""


def unit_rows(lines: Sequence[UnitLine], definition: SystemDefinition, code: str) -> list[Row]:
    leaf, counts = definition.indicator(code), counts_of_code(definition, code)
    target = target_of(definition, code)
    highest = min((line.depth for line in lines), default=0)
    return [
        Row(
            code=line.code,
            name=line.name,
            mark=mark_of(line.figure, counts=counts),
            step=step_in_points(line.change, leaf),
            natural=natural_value(line.figure, leaf),
            verdict=verdict_on(line.figure, leaf, target),
            depth=min(line.depth - highest, 4),
        )
        for line in lines
    ]


def with_places(
    rows: list[Row], lines: Sequence[UnitLine], asked: Asked, chosen: Chosen, code: str
) -> list[Row]:
    """Return the rows with their places, where they are to stand in the order of their scores.

    A place never stands without those in which the unit may truly be. Units that have others of
    the table below them have none: they would be compared with parts of themselves.
    """
    if asked.order not in ("score", "-score"):
        return rows
    above = {line.parent_id for line in lines}
    ends = {at: line for at, line in enumerate(lines) if line.unit_id not in above}
    known = queries.standard_errors_of(run=chosen.run, code=code)
    numbers = np.array(
        [_sure(line.figure, known.get(line.unit_id)) for line in ends.values()], dtype=np.float64
    ).reshape(-1, 3)
    score, se, df = numbers.T
    definition = SystemDefinition.from_json(chosen.run.definition)
    if definition.is_geometric and definition.indicator(code) is None:
        # Its interval is made on the logarithm too.
        score, se = np.log(score), se / score
    found = dict(zip(ends, places(score, se, df), strict=True))
    return [replace(row, place=found.get(at)) for at, row in enumerate(rows)]


def _sure(
    figure: Figure, known: tuple[float, float] | None
) -> tuple[float | None, float | None, float | None]:
    """A score, its standard error and their degrees of freedom; of a score that was held from
    before the standard error is what its interval is worth."""
    if figure.score is None or figure.score_low is None or figure.score_high is None:
        return None, None, None
    se, df = known or ((figure.score_high - figure.score_low) / WIDE, np.inf)
    return figure.score, se, df


def in_order(rows: list[Row], order: str) -> list[Row]:
    """Return rows in the order of the tree, or flat by a number; those without one come last."""
    key = order.removeprefix("-")
    if key not in {"score", "change", "n"}:
        return rows[::-1] if order == "-tree" else rows

    def value(row: Row) -> float | None:
        if key == "change":
            return row.step.by if row.step else None
        return row.mark.value if key == "score" else row.mark.n

    known = sorted(
        (row for row in rows if value(row) is not None),
        key=lambda row: value(row) or 0.0,
        reverse=order.startswith("-"),
    )
    unknown = [row for row in rows if value(row) is None]
    return [replace(row, depth=0) for row in [*known, *unknown]]
