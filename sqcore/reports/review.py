"""The review of a unit and a closed period: where it stands, what really changed, what speaks for
which problem, and what other rooms add. Made to be printed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.periods import Grain
from sqcore.base.text import number
from sqcore.dashboards.panels import ShownPanel
from sqcore.evaluation.forms import Asked
from sqcore.evaluation.unit_page import UnitPage, unit_page
from sqcore.identity.principals import Principal
from sqcore.monitoring.models import Signal
from sqcore.org.queries import local_day
from sqcore.reports.comparison import said_of
from sqcore.reports.evidence import Question
from sqcore.reports.pages import Card, cards_of, diagnosis
from sqcore.reports.queries import expected_a_series, signals_in, watched_series
from sqcore.reports.rules import METHOD
from sqcore.reports.sections import REPORT_SECTIONS

DAYS_A_YEAR = 365.25


@dataclass(frozen=True)
class SignalRow:
    name: str
    shift: str
    sigma: str
    since: date
    n: int


@dataclass(frozen=True)
class Changed:
    """What really changed at the unit, and how much of it chance alone would give."""

    rows: Sequence[SignalRow]
    sentence: str


@dataclass(frozen=True)
class Review:
    unit: UnitPage
    period: str
    cards: Sequence[Card]
    changed: Changed
    sections: Sequence[ShownPanel]
    method: int
    run: int
    digest: str


def review(*, principal: Principal, code: str, asked: Asked, now: datetime) -> Review | None:
    """Return the review of a unit, by default of its newest month; None while nothing was
    evaluated. raises: NotFound"""
    if not (asked.period or asked.grain):
        asked = replace(asked, grain=Grain.MONTH.value)
    page = unit_page(principal=principal, code=code, asked=asked, on=local_day(now))
    found = diagnosis(principal=principal, code=code, asked=asked, now=now)
    if page is None or found is None:
        return None
    question = found.question
    return Review(
        unit=page,
        period=question.period.key,
        cards=cards_of(found),
        changed=_changed(question),
        sections=_sections(question),
        method=METHOD,
        run=question.run.pk,
        digest=question.run.result_digest[:12],
    )


def _sections(question: Question) -> list[ShownPanel]:
    shown = []
    for section in sorted(REPORT_SECTIONS, key=lambda each: (each.order, each.key)):
        context = section.context(question)
        if context is not None:
            shown.append(ShownPanel(section.key, section.template_name, context))
    return shown


def _changed(question: Question) -> Changed:
    codes = [leaf.code for leaf in question.definition.all_indicators()]
    found = signals_in(question, codes)
    series, rate = watched_series(question), expected_a_series(question)
    if rate is None or not series:
        return Changed([], _("No series of this unit is watched yet."))
    days = (question.period.end - question.period.start).days
    said = ngettext(
        "%(found)s signal on %(series)s watched series; by chance alone about %(chance)s would "
        "begin in such a period.",
        "%(found)s signals on %(series)s watched series; by chance alone about %(chance)s would "
        "begin in such a period.",
        len(found),
    ) % {
        "found": len(found),
        "series": series,
        "chance": number(rate * series * days / DAYS_A_YEAR, 2),
    }
    return Changed([_row(question, signal) for signal in found], said)


def _row(question: Question, signal: Signal) -> SignalRow:
    leaf = question.definition.indicator(signal.code)
    return SignalRow(
        name=question.definition.name_of(signal.code),
        shift=said_of(leaf, abs(signal.shift)) if leaf else number(abs(signal.shift), 1),
        sigma=number(abs(signal.shift_sigma), 1),
        since=signal.since_on,
        n=signal.baseline.n,
    )
