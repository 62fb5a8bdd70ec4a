"""Reading what had been published around a period: what a new run may not give away."""

from collections.abc import Iterable, Sequence

import numpy as np

from sqcore.evaluation.lattice import Key
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.evaluation.release import HIDDEN, History, Published
from sqcore.evaluation.rules import RESPONDENTS, Row
from sqcore.indicators.definition import COMPOSITE, SystemDefinition

PUBLISHED = "published"


def history_of(run: EvaluationRun, definition: SystemDefinition) -> History:
    """Return what has been published so far of this period and of those that share its days."""
    codes = (RESPONDENTS, *(leaf.code for leaf in definition.all_indicators()))
    same = EvaluationRun.objects.filter(
        system_id=run.system_id, state=EvaluationRun.State.PUBLISHED
    )
    earlier = list(same.filter(grain=run.grain, starts_on=run.starts_on).order_by("revision"))
    current = same.filter(is_current=True).exclude(grain=run.grain, starts_on=run.starts_on)
    within = list(
        current.filter(starts_on__gte=run.starts_on, ends_on__lte=run.ends_on).order_by("id")
    )
    longer = (
        []
        if earlier
        # A revision is followed by those of the longer periods, which then see it within them.
        else list(
            current.filter(starts_on__lte=run.starts_on, ends_on__gte=run.ends_on).order_by("id")
        )
    )
    beside = {
        whole.pk: list(
            current.filter(starts_on__gte=whole.starts_on, ends_on__lte=whole.ends_on)
            .exclude(pk=whole.pk)
            .order_by("id")
        )
        for whole in longer
    }
    every = {each.pk: each for each in (*earlier, *within, *longer)}
    every |= {each.pk: each for rest in beside.values() for each in rest}
    found = _counts_of(every.values(), codes)
    return History(
        earlier=tuple(found[each.pk] for each in earlier),
        around=tuple(found[each.pk] for each in within),
        above=tuple(
            (found[whole.pk], tuple(found[each.pk] for each in beside[whole.pk]))
            for whole in longer
        ),
    )


def rows_of(run: EvaluationRun) -> list[Row]:
    """Return the stored figures of a run, in the order in which they were computed."""
    fields = ("unit_id", *Row._fields[1:])
    stored = KpiValue.objects.filter(run=run).order_by("id").values_list(*fields)
    return [Row(*row) for row in stored]


def _counts_of(runs: Iterable[EvaluationRun], codes: Sequence[str]) -> dict[int, Published]:
    """Return the counts that these runs show, of their indicators and respondents. One query."""
    by_run: dict[int, dict[Key, dict[str, int]]] = {run.pk: {} for run in runs}
    rows = (
        KpiValue.objects.filter(run_id__in=by_run, status=KpiValue.Status.OK)
        .exclude(kind=KpiValue.Kind.DIMENSION)
        .order_by("id")
        .values_list("run_id", "unit_id", "margin", "margin_value", "code", "n")
    )
    for run_id, unit, margin, value, code, n in rows:
        cell = by_run[run_id].setdefault(Key(unit, margin, value), {})
        cell[RESPONDENTS if code == COMPOSITE else code] = n if n is not None else HIDDEN
    return {
        run.pk: Published(
            start=run.starts_on,
            end=run.ends_on,
            keys=tuple(by_run[run.pk]),
            codes=tuple(codes),
            n=np.array(
                [[cell.get(code, HIDDEN) for code in codes] for cell in by_run[run.pk].values()],
                dtype=np.int64,
            ).reshape(len(by_run[run.pk]), len(codes)),
        )
        for run in runs
    }
