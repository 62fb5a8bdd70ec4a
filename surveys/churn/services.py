"""Saying what counts as a sign of leaving, trying it on history, applying it every month."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput
from sqcore.base.periods import Grain, Period
from sqcore.base.text import in_all_languages
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, system_principal
from sqcore.jobs.models import Job
from sqcore.jobs.runner import JobContext
from sqcore.jobs.services import start
from sqcore.org.queries import UnitTree, local_day, organisation, tree_on
from sqcore.stats.arrays import FloatArray, IntArray
from sqcore.stats.loyalty import Level, Scorecard, scorecard
from surveys.analyses.models import ids_of, packed_ids
from surveys.analyses.release import LEAST
from surveys.churn.models import RiskRun, RiskScorecard, UnitRisk
from surveys.churn.queries import (
    days_of_visits,
    has_run,
    latest_run,
    named_answers_since,
    newest_run_id,
    scorecard_in_force,
    shown_runs,
    visits_since,
)
from surveys.churn.shares import may_be_told, shares_of
from surveys.churn.signs import SIGNS, Rows, Standing, chosen_signs, left_after, standing_on
from surveys.churn.trials import Snapshot, trial_of

JOB_KIND = "surveys.churn"
LOOK_BACK = timedelta(days=3 * 366)
"""So far back encounters are read."""
KEEP_RUNS = timedelta(days=2 * 366)
"""So long runs are kept, with whom they counted: as long as one is a customer without coming again,
at the most."""
LATE_ROWS = timedelta(days=3)
"""So long after the end of a month its last encounters may come in."""
MOST_DAYS = 6
"""So many days of the past a scorecard is tried on, each a horizon after the one before."""
MOST_POINTS = 9


@transaction.atomic
def define_scorecard(
    *,
    points: Mapping[str, int],
    medium: int,
    high: int,
    horizon_days: int,
    active_days: int,
    reason: str,
    by: Principal,
    now: datetime,
) -> RiskScorecard:
    """Add the next version of the scorecard; it is in force from its first run on. The same as the
    newest again adds nothing.

    raises: InvalidInput for signs that there are not, points or levels out of order; Conflict when
        somebody else writes the first one at the same moment
    """
    by.require(Permission.MANAGE_INDICATORS)
    wanted = {sign: value for sign, value in points.items() if value}
    if not wanted or set(wanted) - set(SIGNS):
        raise InvalidInput(_("Give points to one of the known signs at least."))
    if any(not 0 < value <= MOST_POINTS for value in wanted.values()):
        raise InvalidInput(
            _("Points are whole numbers from 1 to %(most)d.") % {"most": MOST_POINTS}
        )
    if not 0 < medium <= high <= sum(wanted.values()):
        raise InvalidInput(
            _("“Medium” must not begin above “high”, and “high” must be within reach.")
        )
    if not (14 <= horizon_days <= 366 and horizon_days <= active_days <= 732):
        raise InvalidInput(
            _("Customers leave within 14 to 366 days, and are looked at at least as long.")
        )
    if not reason.strip():
        raise InvalidInput(_("Say why the points are as they are."))
    # One after the other: who comes second numbers after what the first has made.
    RiskScorecard.objects.select_for_update().order_by("number").first()
    last = RiskScorecard.objects.order_by("-number").first()
    said = (wanted, medium, high, horizon_days, active_days, reason.strip()[:300])
    if last is not None and said == _said(last):
        return last
    try:
        with transaction.atomic():
            made = RiskScorecard.objects.create(
                number=last.number + 1 if last is not None else 1,
                points=wanted,
                medium=medium,
                high=high,
                horizon_days=horizon_days,
                active_days=active_days,
                reason=reason.strip()[:300],
                created_at=now,
            )
    except IntegrityError as clash:  # Nothing was there to wait for: two wrote the first one.
        raise Conflict(
            _("Somebody else has just written a scorecard. Look at it, then write yours.")
        ) from clash
    record(
        action="risk_scorecard.defined",
        subject=f"risk_scorecard:{made.pk}",
        by=by,
        now=now,
        details={"number": made.number, "points": wanted, "medium": medium, "high": high},
    )
    return made


def _said(card: RiskScorecard) -> tuple[Mapping[str, int], int, int, int, int, str]:
    levels = (card.medium, card.high, card.horizon_days, card.active_days)
    return (card.points, *levels, card.reason)


def run_scorecard(
    *, scorecard: RiskScorecard, by: Principal, now: datetime, tell_worker: bool = True
) -> Job:
    """Queue a trial of a version on history, and its levels of the customers at the end of the last
    closed month."""
    by.require(Permission.MANAGE_INDICATORS)
    month = closed_month(now)
    return start(
        kind=JOB_KIND,
        key=f"{scorecard.pk}:{month}",
        title=in_all_languages(
            gettext_lazy("Customers at risk: version %(number)s, %(month)s"),
            number=str(scorecard.number),
            month=str(month),
        ),
        parameters={"scorecard": scorecard.pk, "starts_on": month.start.isoformat()},
        owner=by.user,
        now=now,
        tell_worker=tell_worker,
    )


def run_due(*, now: datetime, tell_worker: bool = True) -> Job | None:
    """Queue the scorecard in force for the last closed month, once what came late is in; None when
    it has run, or there is nothing to run."""
    card, month = scorecard_in_force(), closed_month(now)
    if card is None or local_day(now) < month.end + LATE_ROWS or has_run(card, month):
        return None
    if (days := days_of_visits()) is None or days[0] >= month.end:
        return None
    return run_scorecard(
        scorecard=card, by=system_principal("schedule"), now=now, tell_worker=tell_worker
    )


def closed_month(now: datetime) -> Period:
    return Period.of(local_day(now), Grain.MONTH).previous


def forget_runs(*, now: datetime) -> int:
    """Delete runs that are no more compared with; return how many.

    The newest stays, whatever its age: it is on show.
    """
    newest = latest_run()
    old = RiskRun.objects.filter(on__lt=local_day(now) - KEEP_RUNS)
    if newest is not None:
        old = old.exclude(pk=newest.pk)
    _all, by_model = old.delete()
    return by_model.get(RiskRun._meta.label, 0)


class RiskJob:
    """The job of one run: visits are read once; the run and its units are one transaction."""

    key = JOB_KIND

    def run(self, context: JobContext) -> None:
        asked = context.parameters
        card = RiskScorecard.objects.get(pk=asked["scorecard"])
        month = Period(date.fromisoformat(asked["starts_on"]), Grain.MONTH)
        desk = _Desk.of(card, month)
        while True:
            before = shown_runs()
            run, units = _found(desk, card, month, before)
            run.job, run.made_at = context.job, context.now()
            try:
                with context.completing() as result:
                    # One after the other: each has to know what the other shows.
                    RiskScorecard.objects.select_for_update().order_by("number").first()
                    if newest_run_id() != (before[-1].pk if before else None):
                        raise _ShownMeanwhile
                    run.save(force_insert=True)
                    for unit in units:
                        unit.run = run
                    UnitRisk.objects.bulk_create(units)
                    result["units"] = sum(unit.n is not None for unit in units)
            except _ShownMeanwhile:
                continue
            return


class _ShownMeanwhile(Exception):
    """Another run was made while this one was computed; it has to be decided anew."""


def _found(
    desk: "_Desk | None", card: RiskScorecard, month: Period, before: Sequence[RiskRun]
) -> tuple[RiskRun, list[UnitRisk]]:
    """Return a run and its units, not saved, given what earlier runs showed, the newest last."""
    run = RiskRun(scorecard=card, on=month.end - timedelta(days=1), starts_on=month.start)
    if desk is None:
        return run, []
    k = organisation().smallest_group
    run.trial, run.tried = _trial(desk, before, k)
    units = list(_units(desk, run, before, k))
    root = next(iter(desk.tree.roots), None)
    run.customers = next((row.n for row in units if row.unit_id == root), None)
    return run, units


def _trial(
    desk: "_Desk", before: Sequence[RiskRun], k: int
) -> tuple[dict[str, Any], bytes | memoryview | None]:
    """Return the trial and whom it counts; the last one of the same scorecard where the difference
    from any that was shown would tell of a few."""
    tried, trial = desk.trial(k)
    earlier = [ids_of(run.tried) for run in before if run.tried is not None]
    if not trial or may_be_told(tried, earlier, k=k):
        return trial, packed_ids(tried) if trial else None
    same = (run for run in reversed(before) if run.scorecard_id == desk.card.pk and run.trial)
    last = next(same, None)
    return (last.trial, last.tried) if last is not None else ({}, None)


def _units(desk: "_Desk", run: RiskRun, before: Sequence[RiskRun], k: int) -> Iterator[UnitRisk]:
    standing, _present, card = desk.standing(desk.end)
    earlier = [
        {row.unit_id: ids_of(row.customers) for row in each.units.all() if row.customers}
        for each in before
    ]
    found = shares_of(
        *(standing.customer, standing.unit, card.levels, desk.tree), k=k, earlier=earlier
    )
    last = before[-1] if before and before[-1].scorecard_id == run.scorecard_id else None
    former = {row.unit_id: row for row in last.units.all()} if last is not None else {}
    for each in found:
        if each.percents is not None and each.customers is not None:
            packed = packed_ids(each.customers)
            n = len(each.customers)
            yield UnitRisk(unit_id=each.unit, n=n, customers=packed, **each.percents)
        elif each.stays and each.unit in former and last is not None:
            yield _as_it_was(former[each.unit], last)
        else:
            yield UnitRisk(unit_id=each.unit)


def _as_it_was(row: UnitRisk, run: RiskRun) -> UnitRisk:
    levels = {level.value: getattr(row, level.value) for level in Level}
    as_of = row.as_of or run.on
    return UnitRisk(unit_id=row.unit_id, n=row.n, customers=row.customers, as_of=as_of, **levels)


@dataclass(frozen=True, eq=False)
class _Desk:
    """The visits and named answers of customers, and the units of the month's last day; `end` is
    the day after the last that is known in it."""

    card: RiskScorecard
    tree: UnitTree
    visits: Rows
    answers: Rows
    first: int
    end: int

    @classmethod
    def of(cls, card: RiskScorecard, month: Period) -> "_Desk | None":
        """Return what there is; None without encounters of known customers."""
        days = days_of_visits()
        if days is None:
            return None
        since, end = (
            max(days[0], month.end - LOOK_BACK),
            min(days[1] + timedelta(days=1), month.end),
        )
        visits = visits_since(since).until(end.toordinal())
        if not len(visits.customer):
            return None
        answers = named_answers_since(since)
        tree = tree_on(month.end - timedelta(days=1))
        return cls(card, tree, visits, answers, since.toordinal(), end.toordinal())

    def trial(self, k: int) -> tuple[IntArray, dict[str, Any]]:
        """Return whom the last day of the trial counts, and what the scorecard would have told in
        the past; nobody and {} where it is too short."""
        least = max(k, LEAST)
        snapshots = [found for day in self._days() if (found := self._snapshot(day)) is not None]
        if not snapshots or len(snapshots[-1].left) < least:
            return np.zeros(0, dtype=np.int64), {}
        trial = trial_of(chosen_signs(self.card.points), snapshots, k=least)
        tried = self.standing(trial["day"])[0].customer
        return tried, trial | {"day": date.fromordinal(trial["day"]).isoformat()}

    def _days(self) -> Sequence[int]:
        """Return the days to try it on, oldest first, whose horizon is over."""
        horizon, active = self.card.horizon_days, self.card.active_days
        days = range(self.end - horizon, self.first + active, -horizon)
        return list(days[:MOST_DAYS])[::-1]

    def _snapshot(self, day: int) -> Snapshot | None:
        standing = self.standing(day)
        if not len(standing[0].customer):
            return None
        left = left_after(self.visits, standing[0], day, horizon_days=self.card.horizon_days)
        return Snapshot(day, standing[1], standing[2].points, left)

    def standing(self, day: int) -> tuple[Standing, FloatArray, Scorecard]:
        signs = chosen_signs(self.card.points)
        found = standing_on(
            self.visits,
            self.answers,
            day,
            active_days=self.card.active_days,
            horizon_days=self.card.horizon_days,
        )
        present = found.present[:, [SIGNS.index(sign.code) for sign in signs]]
        card = scorecard(present, signs, medium=self.card.medium, high=self.card.high)
        return found, present, card
