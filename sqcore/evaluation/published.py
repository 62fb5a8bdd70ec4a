"""Reading what had been published around a period: what a new run may not give away."""

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import chain

import numpy as np

from sqcore.evaluation.lattice import Key
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.evaluation.release import HIDDEN, History, Published, latest
from sqcore.evaluation.rules import RESPONDENTS, Row, opinions
from sqcore.indicators.definition import COMPOSITE, SystemDefinition, counts_of_code
from sqcore.indicators.sources import Counts

PUBLISHED = "published"
"""The key under which a run freezes what had been published before."""

Span = tuple[date, date]


def history_of(run: EvaluationRun, definition: SystemDefinition) -> History:
    """Return what has been published so far of this period and of those that share its days.

    Only what people said is asked for: what was measured gives nobody away.
    """
    guarded = [leaf.code for leaf in opinions(definition)]
    if not guarded:
        return History()
    runs = list(
        EvaluationRun.objects.filter(
            system_id=run.system_id, state=EvaluationRun.State.PUBLISHED
        ).order_by("revision", "id")
    )
    spans: dict[tuple[date, date], list[EvaluationRun]] = {}
    for each in runs:
        if opinions(SystemDefinition.from_json(each.definition)):
            spans.setdefault((each.starts_on, each.ends_on), []).append(each)
    mine = run.starts_on, run.ends_on
    longer = [span for span in spans if span != mine and _holds(span, mine)]
    inside = {whole: [s for s in spans if s != whole and _holds(whole, s)] for whole in longer}
    inside[mine] = [span for span in spans if span != mine and _holds(mine, span)]
    needed = {mine, *longer, *chain.from_iterable(inside.values())}
    found = _counts_of([each for span in needed for each in spans.get(span, [])], guarded)

    def known(span: Span) -> Published:
        return latest([found[each.pk] for each in spans[span]])

    return History(
        earlier=tuple(found[each.pk] for each in spans.get(mine, [])),
        around=tuple(known(span) for span in sorted(inside[mine])),
        above=tuple(
            (found[each.pk], tuple(known(span) for span in sorted(inside[whole]) if span != mine))
            for whole in sorted(longer)
            for each in spans[whole]
        ),
    )


def _holds(longer: Span, shorter: Span) -> bool:
    return longer[0] <= shorter[0] and shorter[1] <= longer[1]


def rows_of(run: EvaluationRun) -> list[Row]:
    """Return the stored figures of a run, in the order in which they were computed."""
    fields = ("unit_id", *Row._fields[1:])
    stored = KpiValue.objects.filter(run=run).order_by("id").values_list(*fields)
    return [Row(*row) for row in stored]


def _counts_of(runs: Iterable[EvaluationRun], guarded: Sequence[str]) -> dict[int, Published]:
    """Return the counts that these runs show, of their opinions and respondents. One query.

    The respondents are the n of the overall score, where that counts answers and has any.
    """
    by_run: dict[int, dict[Key, dict[str, int]]] = {run.pk: {} for run in runs}
    with_respondents = {run.pk for run in runs if _says_respondents(run)}
    codes = (RESPONDENTS, *guarded)
    rows = (
        KpiValue.objects.filter(
            run_id__in=by_run, status=KpiValue.Status.OK, code__in=[COMPOSITE, *guarded]
        )
        .order_by("id")
        .values_list("run_id", "unit_id", "margin", "margin_value", "code", "n")
    )
    for run_id, unit, margin, value, code, n in rows:
        if code == COMPOSITE and (run_id not in with_respondents or not n):
            continue
        cell = by_run[run_id].setdefault(Key(unit, margin, value), {})
        cell[RESPONDENTS if code == COMPOSITE else code] = n if n is not None else HIDDEN
    return {
        run.pk: Published(
            start=run.starts_on,
            end=run.ends_on,
            keys=tuple(by_run[run.pk]),
            codes=codes,
            n=np.array(
                [[cell.get(code, HIDDEN) for code in codes] for cell in by_run[run.pk].values()],
                dtype=np.int64,
            ).reshape(len(by_run[run.pk]), len(codes)),
        )
        for run in runs
    }


def _says_respondents(run: EvaluationRun) -> bool:
    definition = SystemDefinition.from_json(run.definition)
    return counts_of_code(definition, COMPOSITE) == Counts.ANSWERS.value
