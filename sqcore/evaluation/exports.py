"""Series as files. Each is written into the ledger: who took what."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base.errors import NotFound
from sqcore.evaluation import queries
from sqcore.evaluation.chosen import choose_series
from sqcore.evaluation.figures import Figure
from sqcore.evaluation.forms import Asked
from sqcore.evaluation.tables import target_of
from sqcore.files.writing import BYTE_ORDER_MARK, harmless
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import SystemDefinition, counts_of_code

NUMBERS = ("value", "low", "high", "score", "score_low", "score_high", "n", "coverage")
COLUMNS = (
    "system", "unit", "unit_name", "code", "name", "grain", "period", "starts_on", "ends_on",
    "margin", "margin_value", "status", "reason", *NUMBERS, "evaluation",
    "counts", "target", "floor",
)  # fmt: skip


@dataclass(frozen=True)
class SeriesFile:
    name: str
    content: bytes


@transaction.atomic
def export_series(*, principal: Principal, code: str, asked: Asked, now: datetime) -> SeriesFile:
    """Return one series as CSV, as far as the asker may see it. raises: NotFound"""
    chosen = choose_series(principal=principal, code=code, asked=asked)
    if chosen is None or not chosen.tops:
        raise NotFound(_("Nothing was evaluated yet."))
    definition = SystemDefinition.from_json(chosen.run.definition)
    unit = chosen.tops[0]
    margin, _colon, value = asked.part.partition(":")
    figures = queries.kpi_series(
        principal=principal,
        system=chosen.system,
        unit=unit,
        code=code,
        grain=chosen.period.grain,
        margin=margin,
        margin_value=value,
    )
    named = [chosen.system.code, unit.code, str(unit), code, definition.name_of(code)]
    leaf = definition.indicator(code)
    meant = [
        counts_of_code(definition, code),
        target_of(definition, code),
        leaf.floor if leaf else None,
    ]
    record(
        action="results.exported",
        subject=f"unit:{unit.pk}",
        by=principal,
        now=now,
        details={
            "system": chosen.system.code,
            "code": code,
            "grain": chosen.period.grain.value,
            "part": asked.part,
            "rows": len(figures),
        },
    )
    return SeriesFile(
        name=f"{chosen.system.code}-{unit.code}-{code}-{chosen.period.grain.value}.csv",
        content=_csv([[*named, *_cells(figure), *meant] for figure in figures]),
    )


def _cells(figure: Figure) -> list[object]:
    period = figure.period
    return [
        period.grain.value, period.key, period.start, period.end, figure.margin,
        figure.margin_value, figure.status, figure.reason,
        *(getattr(figure, name) for name in NUMBERS), figure.run_id,
    ]  # fmt: skip


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return (BYTE_ORDER_MARK + text.getvalue()).encode()
