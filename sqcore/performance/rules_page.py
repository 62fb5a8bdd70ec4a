"""The rules by which people are judged, and what these found and can get wrong."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Value
from django.utils.translation import gettext as _

from sqcore.base.text import in_language, number, signed
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.models import Indicator
from sqcore.org.models import Channel, Segment
from sqcore.org.queries import local_day, organisation
from sqcore.performance.measures import measures_of
from sqcore.performance.models import FrozenReliability, ResultsPolicy, ResultsRun
from sqcore.performance.queries import (
    RunFigures,
    current_run,
    frozen_by_measure,
    policy_on,
    run_figures,
)
from sqcore.performance.wording import DECIMALS, answers_text, run_window_text


@dataclass(frozen=True)
class MeasureRule:
    """How much of what is said by a measure is of the people, and since when that is used."""

    name: str
    icc: str
    year: int
    persons: str
    n: str
    for_coaching: str
    for_pay: str


@dataclass(frozen=True)
class MixLine:
    """By how much a channel or a group of customers moves answers, which is taken out."""

    measure: str
    factor: str
    by: str
    share: str


@dataclass(frozen=True)
class RulesPage:
    policy: ResultsPolicy | None
    coming: Sequence[ResultsPolicy]
    certainty: str
    freezing: Sequence[str]
    smallest: int
    measures: list[MeasureRule]
    run: ResultsRun | None
    window: str
    figures: RunFigures | None
    mix: list[MixLine]
    unmixed: list[str]
    may_change: bool


def rules_page(*, principal: Principal, now: datetime) -> RulesPage:
    """Return the rules by which people are judged; everybody who logs in may read them."""
    today = local_day(now)
    policy, run = policy_on(today), current_run()
    coming = ResultsPolicy.objects.filter(valid_from__gt=today).order_by("valid_from", "number")
    figures = run_figures(run) if run else None
    names = _factor_names(figures)
    return RulesPage(
        policy=policy,
        coming=list(coming),
        certainty=number(100 * policy.certainty, 1) if policy else "",
        freezing=_freezing(policy),
        smallest=organisation().smallest_group,
        measures=_measure_rules(frozen_by_measure(today).values(), policy),
        run=run,
        window=run_window_text(run) if run else "",
        figures=figures,
        mix=_mix(figures, names) if figures else [],
        unmixed=_unmixed(figures, names) if figures else [],
        may_change=may_change_rules(principal),
    )


def _factor_names(figures: RunFigures | None) -> dict[str, str]:
    """Return what the factors of the case mix are called, by kind and code. One query, or none."""
    if figures is None or not any(each.mix for each in figures.measures):
        return {}
    channels = Channel.objects.annotate(kind=Value("channel")).order_by()
    segments = Segment.objects.annotate(kind=Value("segment")).order_by()
    fields = ("kind", "code", "name")
    rows = channels.values_list(*fields).union(segments.values_list(*fields), all=True)
    named = {f"{kind}/{code}": in_language(name) for kind, code, name in rows}
    return named | {"channel/": _("Channel not known"), "segment/": _("Group not known")}


def _unmixed(figures: RunFigures, names: Mapping[str, str]) -> list[str]:
    """Return the factors for which nothing can be taken out, by any measure."""
    every = {factor.factor for each in figures.measures for factor in each.mix}
    told = {f.factor for each in figures.measures for f in each.mix if f.identified}
    return sorted(names.get(factor, factor) for factor in every - told)


def _mix(figures: RunFigures, names: Mapping[str, str]) -> list[MixLine]:
    return [
        MixLine(
            measure=in_language(each.measure.name),
            factor=names.get(factor.factor, factor.factor),
            by=signed(factor.coefficient, DECIMALS),
            share=f"{number(100 * factor.share, 0)} %",
        )
        for each in figures.measures
        for factor in each.mix
        if factor.identified
    ]


def may_change_rules(principal: Principal) -> bool:
    """True for who both decides disputes and keeps the indicators."""
    needed = (Permission.DECIDE_DISPUTES, Permission.MANAGE_INDICATORS)
    return all(principal.may(permission) for permission in needed)


def _freezing(policy: ResultsPolicy | None) -> list[str]:
    codes = policy.freezing if policy else []
    known = dict(Indicator.objects.filter(code__in=codes).values_list("code", "name"))
    return [in_language(known[code]) if code in known else code for code in codes]


def _measure_rules(
    frozen: Collection[FrozenReliability], policy: ResultsPolicy | None
) -> list[MeasureRule]:
    gates = policy or ResultsPolicy()
    rows = {row.measure: row for row in frozen}
    named = [(measure, rows[measure.key]) for measure in measures_of(rows)]
    return [
        MeasureRule(
            name=in_language(measure.name),
            icc=number(row.icc, 3),
            year=row.year,
            persons=number(row.persons, 0),
            n=number(row.n, 0),
            for_coaching=answers_text(gates.coaching_reliability, row),
            for_pay=answers_text(gates.pay_reliability, row),
        )
        for measure, row in named
    ]
