"""Evaluating: what is due becomes runs, runs become jobs, a job publishes its runs one by one."""

import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import numpy as np
import scipy
from django.db import connection, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base import bus
from sqcore.base.errors import InvalidInput, NotFound
from sqcore.base.events import EvaluationPublished
from sqcore.base.periods import Grain, Period
from sqcore.evaluation import frozen, standard_errors
from sqcore.evaluation.due import Due, due_periods
from sqcore.evaluation.groups import key_of
from sqcore.evaluation.models import EvaluationRun, FrozenCells, KpiValue, QuietPeriod
from sqcore.evaluation.published import PUBLISHED, history_of, rows_of
from sqcore.evaluation.rules import (
    Inputs,
    Policy,
    Row,
    digest_of,
    evaluate,
    evaluate_with_errors,
    opinions,
)
from sqcore.identity.principals import Principal, system_principal
from sqcore.indicators.definition import (
    COMPOSITE,
    IndicatorDefinition,
    SystemDefinition,
    counts_of_code,
    definition_of,
)
from sqcore.indicators.models import IndicatorSystem, SystemVersion
from sqcore.indicators.queries import published_version, system_by_code
from sqcore.indicators.sources import (
    SOURCES,
    Between,
    Collected,
    Counts,
    HasGroups,
    base_of,
    between_of,
)
from sqcore.jobs import services as jobs
from sqcore.jobs.models import Job
from sqcore.jobs.runner import JobContext, LeaseLost, OnProgress, run_inline
from sqcore.org.models import Placement
from sqcore.org.queries import local_day, organisation, tree_on
from sqcore.org.shifts import unusual_starts

JOB_KIND = "evaluation.run"
MOST_CHUNKS = 8
"""Into how many jobs what is due is spread; never one a unit."""


@transaction.atomic
def request_run(
    *,
    system: IndicatorSystem,
    period: Period,
    by: Principal,
    now: datetime,
) -> Job | None:
    """Queue the evaluation of one closed period; while it waits or runs, return that job.

    None when the system has nothing published. Nothing new is published when nothing changed.
    raises: InvalidInput while the period is not over
    """
    version = published_version(system)
    if version is None:
        return None
    if period.end > local_day(now):
        raise InvalidInput(
            _("%(period)s is not over yet; it is evaluated when it is.") % {"period": period}
        )
    asked = Due(version, period, EvaluationRun.Reason.ASKED)
    queued = plan_runs(due=[asked], by=by, now=now)
    return queued[0] if queued else None


@transaction.atomic
def plan_runs(*, due: Sequence[Due], by: Principal, now: datetime) -> list[Job]:
    """Queue runs for these periods in at most MOST_CHUNKS jobs a system, oldest first.

    A period that is queued already stays with its job. The periods of a year stay in one job, so
    that its months are published before it.
    """
    planned: list[Job] = []
    for version_id in sorted({each.version.pk for each in due}):
        mine = [each for each in due if each.version.pk == version_id]
        for chunk in _chunks(mine):
            job = _queue_chunk(chunk, by=by, now=now)
            if job is not None:
                planned.append(job)
    return planned


def start_due(*, now: datetime) -> int:
    """Queue whatever is due; return how many jobs there are for it."""
    due = due_periods(now=now)
    return len(plan_runs(due=due, by=system_principal(), now=now))


def evaluate_due(
    *,
    now: datetime,
    report: OnProgress | None = None,
    system: IndicatorSystem | None = None,
    by: Principal | None = None,
) -> int:
    """Evaluate here and now whatever is due, through the same jobs; return how many were published.

    raises: DomainError when a job failed
    """
    due = [each for each in due_periods(now=now) if system in (None, each.version.system)]
    planned = plan_runs(due=due, by=by or system_principal(), now=now)
    return run_jobs(planned=planned, now=now, report=report)


def evaluate_from_outside(
    *, system_code: str, period_key: str, now: datetime, report: OnProgress | None = None
) -> int:
    """Evaluate here and now: one period of one system, or, without a period, whatever is due.

    Return how many runs were published. raises: NotFound, InvalidInput
    """
    by = system_principal()
    if not period_key:
        wanted = system_by_code(by, system_code) if system_code else None
        return evaluate_due(now=now, report=report, system=wanted)
    if not system_code:
        raise InvalidInput("Say which indicator system to evaluate in that period.")
    job = request_run(
        system=system_by_code(by, system_code),
        period=Period.parse(period_key, fiscal_start=organisation().fiscal_start),
        by=by,
        now=now,
    )
    if job is None:
        raise NotFound(f"“{system_code}” has no published version yet.")
    return run_jobs(planned=[job], now=now, report=report)


def run_jobs(*, planned: Iterable[Job], now: datetime, report: OnProgress | None = None) -> int:
    """Run queued jobs in this process; return how many runs they published."""
    found = list(planned)
    sizes = [len(job.parameters["runs"]) for job in found]
    published = 0
    for number, job in enumerate(found):
        before, total = sum(sizes[:number]), sum(sizes)

        def onward(
            done: int, _of: int, stage: str, before: int = before, total: int = total
        ) -> None:
            if report is not None:
                report(before + done, total, stage)

        finished = run_inline(job, now=now, on_progress=onward)
        published += finished.result.get("published", 0)
    return published


def _onward(report: OnProgress, before: int, total: int) -> OnProgress:
    """Report a job's progress as part of that of all."""

    def onward(done: int, _total: int, stage: str) -> None:
        report(before + done, total, stage)

    return onward


class EvaluationJob:
    """The job of one or more runs. Each is published in a transaction of its own under the fence
    of the job, so that a run is published once, whoever finishes it."""

    key = JOB_KIND

    def run(self, context: JobContext) -> None:
        ids = list(context.parameters["runs"])
        published = 0
        for done, run_id in enumerate(ids):
            run = (
                EvaluationRun.objects.filter(pk=run_id, state=EvaluationRun.State.QUEUED)
                .select_related("system", "version__system")
                .first()
            )
            if run is not None:
                context.progress(done, len(ids), str(_period_of(run)))
                published += carry_out(run=run, fence=_fence_of(context), now=context.now())
        context.progress(len(ids), len(ids))
        with context.completing() as result:
            result["published"] = EvaluationRun.objects.filter(
                pk__in=ids, state=EvaluationRun.State.PUBLISHED
            ).count()


def carry_out(*, run: EvaluationRun, fence: Callable[[], None], now: datetime) -> bool:
    """Collect, compute and publish a queued run; False when there was nothing new to publish.

    `fence` is called inside each transaction and raises when the work was taken over.
    """
    if run.version.state != SystemVersion.State.PUBLISHED:
        return _drop(run, fence)
    gathered = _gather(run)
    nobody = not any(source.moments.n.any() for source in gathered.sources.values())
    with transaction.atomic():
        fence()
        # Runs of one system publish one after the other: each sees what the others have shown.
        IndicatorSystem.objects.select_for_update().get(pk=run.system_id)
        former = _current(run)
        if nobody and former is None:
            return _note_quiet(run, now)
        if former is not None and former.input_digest == gathered.digest:
            EvaluationRun.objects.filter(pk=former.pk).update(checked_at=now)
            run.delete()
            return False
        inputs = Inputs(
            definition=gathered.definition,
            policy=gathered.policy,
            parents=gathered.parents,
            sources=gathered.sources,
            history=history_of(run, gathered.definition),
            former=tuple(rows_of(former)) if former and opinions(gathered.definition) else (),
        )
        _publish(run, inputs, former, gathered, now=now)
    return True


@dataclass(frozen=True)
class Replay:
    """A run computed anew from what it froze."""

    run: EvaluationRun
    digest: str
    rows: list[Row]
    fault: str

    @property
    def is_same(self) -> bool:
        return not self.fault


def replay(*, run_id: int) -> Replay:
    """Compute a published run anew from its frozen inputs alone, and compare its hashes and the
    stored figures; changes nothing.

    raises: NotFound
    """
    run = (
        EvaluationRun.objects.filter(pk=run_id, state=EvaluationRun.State.PUBLISHED)
        .select_related("system")
        .first()
    )
    if run is None:
        raise NotFound(f"There is no published run {run_id}.")
    stored = FrozenCells.objects.filter(run=run).order_by("id")
    contents, broken = {}, []
    for cells in stored:
        contents[cells.source] = frozen.decompressed(bytes(cells.content))
        if frozen.digest(contents[cells.source]) != cells.digest:
            broken.append(cells.source)
    contents.pop(standard_errors.KEY, None)
    history, former = frozen.thaw_published(contents.pop(PUBLISHED))
    inputs = Inputs(
        definition=SystemDefinition.from_json(run.definition),
        policy=Policy(**run.policy),
        parents={int(unit): parent for unit, parent in run.tree.items()},
        sources={name: frozen.thaw_source(content) for name, content in contents.items()},
        history=history,
        former=former,
    )
    rows = evaluate(inputs)
    digests = {name: frozen.digest(content) for name, content in contents.items()}
    faults = {
        "The frozen cells are damaged.": bool(broken),
        "The frozen inputs are not those of the run.": (
            frozen.input_digest(
                definition=run.definition, policy=run.policy, tree=run.tree, cells=digests
            )
            != run.input_digest
        ),
        "The computation gives another result.": digest_of(rows) != run.result_digest,
        "The stored figures are not those of the run.": (
            digest_of(rows_of(run)) != run.result_digest
        ),
    }
    fault = next((reason for reason, found in faults.items() if found), "")
    return Replay(run, digest_of(rows), rows, fault)


def _period_of(run: EvaluationRun) -> Period:
    return Period(run.starts_on, Grain(run.grain), organisation().fiscal_start)


def _fence_of(context: JobContext) -> Callable[[], None]:
    def fence() -> None:
        # Inside the transaction: whoever takes the job over waits for it, or makes this fail.
        if not context.renew():
            raise LeaseLost(str(context.job.pk))

    return fence


def _chunks(due: Sequence[Due]) -> list[list[Due]]:
    """Cut into parts of whole years, oldest first; within a part the shorter periods first."""
    years: dict[Any, list[Due]] = {}
    for each in due:
        year = Period.of(each.period.start, Grain.YEAR, fiscal_start=each.period.fiscal_start)
        years.setdefault(year.start, []).append(each)
    parts = [years[start] for start in sorted(years)]
    size = -(-len(parts) // MOST_CHUNKS) or 1
    return [
        sorted(chain.from_iterable(parts[at : at + size]), key=lambda each: each.order)
        for at in range(0, len(parts), size)
    ]


def _queue_chunk(chunk: Sequence[Due], *, by: Principal, now: datetime) -> Job | None:
    runs = []
    for each in chunk:
        found = (
            EvaluationRun.objects.select_related("job")
            .filter(
                version=each.version,
                grain=each.period.grain,
                starts_on=each.period.start,
                state=EvaluationRun.State.QUEUED,
            )
            .first()
        )
        if found is None:
            runs.append(_queue_run(each, now=now))
        elif found.job is None or not found.job.is_open:
            runs.append(found)
        elif len(chunk) == 1:
            return found.job
    if not runs:
        return None
    first, last = chunk[0].period, chunk[-1].period
    span = first.key if len(chunk) == 1 else f"{first.key} – {last.key}"
    name = chunk[0].version.system.name
    job = jobs.start(
        kind=JOB_KIND,
        key=f"{chunk[0].version.system.code}:{runs[0].pk}-{runs[-1].pk}",
        title={
            "en": f"Evaluation: {name.get('en') or next(iter(name.values()))}, {span}",
            "zh-hans": f"评估：{name.get('zh-hans') or next(iter(name.values()))}，{span}",
        },
        parameters={"runs": [run.pk for run in runs]},
        owner=by.user,
        now=now,
    )
    EvaluationRun.objects.filter(pk__in=[run.pk for run in runs]).update(job=job)
    return job


def _queue_run(each: Due, *, now: datetime) -> EvaluationRun:
    same = EvaluationRun.objects.filter(
        system_id=each.version.system_id, grain=each.period.grain, starts_on=each.period.start
    )
    last = same.aggregate(last=Max("revision"))["last"]
    return EvaluationRun.objects.create(
        system_id=each.version.system_id,
        version=each.version,
        grain=each.period.grain,
        starts_on=each.period.start,
        ends_on=each.period.end,
        revision=(last or 0) + 1,
        reason=each.reason,
        created_at=now,
    )


@dataclass(frozen=True)
class _Gathered:
    """What a run reads from the world, and its hashes."""

    definition: SystemDefinition
    policy: Policy
    parents: Mapping[int, int | None]
    sources: Mapping[str, Collected]
    contents: Mapping[str, bytes]
    digests: Mapping[str, str]
    digest: str


def _gather(run: EvaluationRun) -> _Gathered:
    """Read every source once, for all of its measures."""
    period = _period_of(run)
    last_day = period.end - timedelta(days=1)
    definition = definition_of(run.version, on=last_day, grain=period.grain)
    # Read before the sources: a change in between makes the period due again.
    org = organisation()
    sources = {}
    direct = [leaf for leaf in (*definition.all_indicators(), *definition.operands) if leaf.source]
    for name in dict.fromkeys(leaf.source for leaf in direct):
        mine = [leaf for leaf in direct if leaf.source == name]
        measures = dict.fromkeys(base_of(leaf.measure) for leaf in mine)
        sources[name] = frozen.canonical(
            SOURCES[name].collect(measures=list(measures), period=period)
        )
        sources |= _groups(name, mine, period)
    by_shift = any(name.endswith(key_of("", Between.SHIFT)) for name in sources)
    policy = Policy(
        smallest_group=org.smallest_group, shifts=unusual_starts(org.shifts) if by_shift else None
    )
    units = {cell.unit_id for source in sources.values() for cell in source.cells}
    parents = _tree_with(units, period)
    contents = {name: frozen.freeze_source(source) for name, source in sources.items()}
    digests = {name: frozen.digest(content) for name, content in contents.items()}
    return _Gathered(
        definition,
        policy,
        parents,
        sources,
        contents,
        digests,
        frozen.input_digest(
            definition=definition.as_json(),
            policy=policy.as_json(),
            tree=_stored_tree(parents),
            cells=digests,
        ),
    )


def _groups(
    name: str, leaves: Iterable[IndicatorDefinition], period: Period
) -> dict[str, Collected]:
    """Read the groups whose spread is asked of a source, where its cells do not have them."""
    source = SOURCES[name]
    asked: dict[Between, dict[str, None]] = {}
    for leaf in leaves:
        between = between_of(leaf.measure)
        if between is not None and not between.are_cells:
            asked.setdefault(between, {})[base_of(leaf.measure)] = None
    if not asked or not isinstance(source, HasGroups):
        return {}
    return {
        key_of(name, between): frozen.canonical(
            source.collect_groups(measures=list(measures), between=between, period=period)
        )
        for between, measures in asked.items()
    }


def _stored_tree(parents: Mapping[int, int | None]) -> dict[str, int | None]:
    return {str(unit): parent for unit, parent in parents.items()}


def _tree_with(units: Iterable[int], period: Period) -> dict[int, int | None]:
    """Return the tree of the period's last day; a unit that closed before stands where it stood.

    A unit that has no place yet stands where it first will.
    """
    parents = dict(tree_on(period.end - timedelta(days=1)).parents)
    waiting = [unit for unit in units if unit not in parents]
    while waiting:
        placed = Placement.objects.filter(unit_id__in=waiting)
        for unit in waiting:
            mine = placed.filter(unit_id=unit)
            found = (
                mine.filter(valid_from__lt=period.end).order_by("-valid_from").first()
                or mine.order_by("valid_from").first()
            )
            parents[unit] = found.parent_id if found else _root(parents)
        waiting = [up for up in parents.values() if up is not None and up not in parents]
    return parents


def _root(parents: Mapping[int, int | None]) -> int | None:
    return min((unit for unit, parent in parents.items() if parent is None), default=None)


def _current(run: EvaluationRun) -> EvaluationRun | None:
    return (
        EvaluationRun.objects.current()
        .filter(
            system_id=run.system_id,
            grain=run.grain,
            starts_on=run.starts_on,
            scope=run.scope,
        )
        .first()
    )


def _drop(run: EvaluationRun, fence: Callable[[], None]) -> bool:
    with transaction.atomic():
        fence()
        run.delete()
    return False


def _note_quiet(run: EvaluationRun, now: datetime) -> bool:
    QuietPeriod.objects.update_or_create(
        version=run.version,
        grain=run.grain,
        starts_on=run.starts_on,
        defaults={"checked_at": now},
    )
    run.delete()
    return False


def _publish(
    run: EvaluationRun,
    inputs: Inputs,
    former: EvaluationRun | None,
    gathered: _Gathered,
    *,
    now: datetime,
) -> None:
    rows, errors = evaluate_with_errors(inputs)
    if former is not None:
        EvaluationRun.objects.filter(pk=former.pk).update(is_current=False)
        KpiValue.objects.filter(run=former).update(is_current=False)
    run.state = EvaluationRun.State.PUBLISHED
    run.is_current = True
    run.definition = inputs.definition.as_json()
    run.policy = inputs.policy.as_json()
    run.tree = _stored_tree(inputs.parents)
    run.libraries = libraries()
    run.respondents = _respondents(rows, inputs)
    run.input_digest = gathered.digest
    run.result_digest = digest_of(rows)
    run.collected_at = run.published_at = now
    run.save()
    beside = {
        PUBLISHED: frozen.freeze_published(inputs),
        standard_errors.KEY: standard_errors.freeze(errors),
    }
    contents = {**gathered.contents, **beside}
    digests = {name: frozen.digest(content) for name, content in contents.items()}
    FrozenCells.objects.bulk_create(
        FrozenCells(run=run, source=name, content=frozen.compressed(content), digest=digests[name])
        for name, content in contents.items()
    )
    _insert(run, rows)
    QuietPeriod.objects.filter(
        version=run.version, grain=run.grain, starts_on=run.starts_on
    ).delete()
    record(
        action="evaluation.published",
        subject=f"run:{run.pk}",
        by=system_principal(),
        now=now,
        details={
            "revision": run.revision,
            "input": run.input_digest,
            "result": run.result_digest,
        },
    )
    bus.publish(EvaluationPublished(run_id=run.pk), now=now)


def libraries() -> dict[str, str]:
    """Return the versions that a result depends on, if on any."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }


def _respondents(rows: Sequence[Row], inputs: Inputs) -> int | None:
    """How many people answered anywhere; None when that is not shown, or nobody was asked."""
    if counts_of_code(inputs.definition, COMPOSITE) != Counts.ANSWERS.value:
        return None
    roots = {unit for unit, parent in inputs.parents.items() if parent is None}
    whole = [
        row.n for row in rows if row.code == COMPOSITE and not row.margin and row.unit_id in roots
    ]
    return sum(n for n in whole if n) if whole and all(whole) else None


_COLUMNS = ("run", "is_current", "system", "grain", "starts_on")
_ROW_COLUMNS = ("unit", *Row._fields[1:])


def _insert(run: EvaluationRun, rows: Sequence[Row]) -> None:
    """Write the rows of a run: thousands, so past the model instances."""
    fields = [
        field.column
        for name in (*_COLUMNS, *_ROW_COLUMNS)
        for field in KpiValue._meta.concrete_fields
        if field.name == name and field.column is not None
    ]
    quote = connection.ops.quote_name
    table = quote(KpiValue._meta.db_table)
    columns = ", ".join(quote(name) for name in fields)
    places = ", ".join(["%s"] * len(fields))
    starts_on = connection.ops.adapt_datefield_value(run.starts_on)
    head = (run.pk, True, run.system_id, run.grain, starts_on)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} ({columns}) VALUES ({places})",  # noqa: S608 - names of the model
            [head + row for row in rows],
        )
