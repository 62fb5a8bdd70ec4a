"""Reading what customers did: visits, answers with their names, and what was found of them."""

from datetime import date

import numpy as np
from django.db.models import OuterRef, QuerySet, Subquery

from sqcore.base.periods import Period
from sqcore.encounters.models import Encounter
from sqcore.encounters.queries import first_and_last_day
from sqcore.identity.principals import Principal
from surveys.campaigns.models import Campaign
from surveys.churn.models import RiskRun, RiskScorecard, UnitRisk
from surveys.churn.signs import Rows
from surveys.instruments.models import Item
from surveys.responses.models import Response


def scorecard_in_force() -> RiskScorecard | None:
    """Return the newest version of the scorecard."""
    return RiskScorecard.objects.order_by("-number").first()


def latest_run() -> RiskRun | None:
    """Return the newest run of a closed month; those of single days are not shown any more."""
    rows = RiskRun.objects.filter(starts_on__isnull=False).defer("tried")
    return rows.select_related("scorecard").order_by("-id").first()


def newest_run_id() -> int | None:
    return RiskRun.objects.order_by("-id").values_list("id", flat=True).first()


def has_run(card: RiskScorecard, month: Period) -> bool:
    return RiskRun.objects.filter(scorecard=card, starts_on=month.start).exists()


def shown_runs() -> list[RiskRun]:
    """Return all runs that there are with what they showed of units, the newest last."""
    return list(RiskRun.objects.prefetch_related("units").order_by("id"))


def unit_risks(run: RiskRun | None, *, principal: Principal) -> QuerySet[UnitRisk]:
    """Return what a run found of the units that this person sees results of, by code; nothing of
    no run."""
    rows = UnitRisk.objects.visible_to(principal).filter(run=run).defer("customers")
    return rows.select_related("unit").order_by("unit__code", "id")


def days_of_visits() -> tuple[date, date] | None:
    """Return the first and the last day with an encounter."""
    return first_and_last_day()


def visits_since(day: date) -> Rows:
    """Return the encounters of known customers from a day on. An encounter went wrong that was not
    solved at the first contact or had a stage done again."""
    rows = (
        Encounter.objects.filter(customer__isnull=False, on__gte=day)
        .order_by("customer_id", "on", "id")
        .values_list("customer_id", "on", "unit_id", "solved", "reworked")
    )
    table = [
        (customer, on.toordinal(), unit, _wrong(solved, reworked))
        for customer, on, unit, solved, reworked in rows.iterator(chunk_size=20_000)
        if customer is not None
    ]
    return _rows(table)


def named_answers_since(day: date) -> Rows:
    """Return the recommendations of customers who answered with their name, by their encounter.

    Anonymous and confidential answers are never read here: they were not given for this
    (docs/decisions/who-may-leave.md).
    """
    codes = dict(
        Item.objects.filter(kind=Item.Kind.NPS).order_by("-position").values_list("version", "code")
    )
    encounters = Encounter.objects.filter(key=OuterRef("encounter_key"))
    rows = (
        Response.objects.counted()
        .filter(campaign__mode=Campaign.Mode.IDENTIFIED, answered_on__gte=day)
        .exclude(encounter_key="")
        .annotate(who=Subquery(encounters.values("customer_id")[:1]))
        .filter(who__isnull=False)
        .order_by("who", "answered_on", "id")
        .values_list("who", "answered_on", "unit_id", "version_id", "answers")
    )
    table = []
    for who, on, unit, version, answers in rows.iterator(chunk_size=5_000):
        answer = answers.get(codes.get(version, ""))
        if isinstance(answer, int):
            table.append((who, on.toordinal(), unit, float(answer)))
    return _rows(table)


def _wrong(solved: bool | None, reworked: bool | None) -> float:
    if solved is None and reworked is None:
        return float("nan")
    return float(solved is False or bool(reworked))


def _rows(table: list[tuple[int, int, int, float]]) -> Rows:
    columns = list(zip(*table, strict=True)) if table else [(), (), (), ()]
    customer, day, unit = (np.array(column, dtype=np.int64) for column in columns[:3])
    return Rows(customer, day, np.array(columns[3], dtype=np.float64), unit)
