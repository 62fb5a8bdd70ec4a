"""Saying what counts as a sign of leaving, trying it on history, applying it to today."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.audit.services import record
from sqcore.base.errors import InvalidInput
from sqcore.base.text import in_all_languages
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.jobs.models import Job
from sqcore.jobs.runner import JobContext
from sqcore.jobs.services import start
from sqcore.org.queries import UnitTree, local_day, organisation, tree_on
from sqcore.stats.loyalty import Level, scorecard
from sqcore.stats.suppression import families_of, suppress
from surveys.churn.models import RiskRun, RiskScorecard, UnitRisk
from surveys.churn.queries import days_of_visits, named_answers_since, visits_since
from surveys.churn.signs import SIGNS, Rows, chosen_signs, left_after, standing_on
from surveys.churn.trials import Snapshot, trial_of

JOB_KIND = "surveys.churn"
LOOK_BACK = timedelta(days=3 * 366)
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

    raises: InvalidInput for signs that there are not, points or levels out of order
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
    """Queue a trial of a version on history, and its levels of today's customers."""
    by.require(Permission.MANAGE_INDICATORS)
    return start(
        kind=JOB_KIND,
        key=f"{scorecard.pk}",
        title=in_all_languages(
            gettext_lazy("Customers at risk: version %(number)s"), number=str(scorecard.number)
        ),
        parameters={"scorecard": scorecard.pk},
        owner=by.user,
        now=now,
        tell_worker=tell_worker,
    )


class RiskJob:
    """The job of one run: visits are read once; the run and its units are one transaction."""

    key = JOB_KIND

    def run(self, context: JobContext) -> None:
        card = RiskScorecard.objects.get(pk=context.parameters["scorecard"])
        now = context.now()
        today = local_day(now)
        desk = _Desk.of(card, today)
        run = RiskRun(scorecard=card, on=today, job=context.job, made_at=now)
        units: list[UnitRisk] = []
        if desk is not None:
            run.trial = desk.trial(organisation().smallest_group)
            units, run.customers = desk.units(organisation().smallest_group)
        with context.completing() as result:
            run.save(force_insert=True)
            for unit in units:
                unit.run = run
            UnitRisk.objects.bulk_create(units)
            result["customers"] = run.customers


@dataclass(frozen=True, eq=False)
class _Desk:
    """The visits and named answers of customers; `end` is the day after the last known one."""

    card: RiskScorecard
    visits: Rows
    answers: Rows
    first: int
    end: int

    @classmethod
    def of(cls, card: RiskScorecard, today: date) -> "_Desk | None":
        """Return what there is; None without encounters of known customers."""
        days = days_of_visits()
        if days is None:
            return None
        since = max(days[0], today - LOOK_BACK)
        visits = visits_since(since)
        if not len(visits.customer):
            return None
        end = min(days[1] + timedelta(days=1), today)
        answers = named_answers_since(since)
        return cls(card, visits, answers, since.toordinal(), end.toordinal())

    def trial(self, k: int) -> dict[str, Any]:
        """Return what the scorecard would have told in the past; {} where it is too short."""
        snapshots = [found for day in self._days() if (found := self._snapshot(day)) is not None]
        if not snapshots or len(snapshots[-1].left) < k:
            return {}
        trial = trial_of(chosen_signs(self.card.points), snapshots, k=k)
        return trial | {"day": date.fromordinal(trial["day"]).isoformat()}

    def _days(self) -> Sequence[int]:
        """Return the days to try it on, oldest first, whose horizon is over."""
        horizon, active = self.card.horizon_days, self.card.active_days
        days = range(self.end - horizon, self.first + active, -horizon)
        return list(days[:MOST_DAYS])[::-1]

    def _snapshot(self, day: int) -> Snapshot | None:
        standing = self._standing(day)
        if not len(standing[0].customer):
            return None
        left = left_after(self.visits, standing[0], day, horizon_days=self.card.horizon_days)
        return Snapshot(day, standing[1], standing[2].points, left)

    def _standing(self, day: int) -> Any:
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

    def units(self, k: int) -> tuple[list[UnitRisk], int | None]:
        """Return the levels of today's customers by unit, and how many customers there are."""
        standing, _present, card = self._standing(self.end)
        tree = tree_on(date.fromordinal(self.end - 1))
        order = [unit for root in tree.roots for unit in tree.below(root)]
        place = {unit: at for at, unit in enumerate(order)}
        counts = np.zeros((len(order), len(Level)), dtype=np.int64)
        levels = list(Level)
        for unit, level in zip(standing.unit.tolist(), card.levels, strict=True):
            for above in tree.path(unit):
                if above in place:
                    counts[place[above], levels.index(level)] += 1
        n = counts.sum(axis=1)
        hidden = suppress(n, families_of(_families(tree, place)), k=k) | (n < k)
        rows = [
            _row(unit, counts[at], levels, hidden=bool(hidden[at]))
            for unit, at in place.items()
            if n[at]
        ]
        return rows, len(standing.customer) if len(standing.customer) >= k else None


def _families(tree: UnitTree, place: Mapping[int, int]) -> list[tuple[int, list[int]]]:
    return [
        (at, [place[child] for child in tree.children.get(unit, [])]) for unit, at in place.items()
    ]


def _row(unit: int, counts: Any, levels: Sequence[Level], *, hidden: bool) -> UnitRisk:
    if hidden:
        return UnitRisk(unit_id=unit)
    shares = {
        level.value: round(100 * int(count) / int(counts.sum()))
        for level, count in zip(levels, counts, strict=True)
    }
    return UnitRisk(unit_id=unit, n=int(counts.sum()), **shares)
