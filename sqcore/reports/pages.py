"""What the diagnosis of a unit shows: six classes, each with its verdict and its evidence."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from django.utils.translation import gettext as _

from sqcore.base.periods import Grain
from sqcore.base.text import day, number
from sqcore.causes.taxonomy import CAUSES
from sqcore.dashboards.figures import IntervalBar, interval_bar_of
from sqcore.evaluation.chosen import Chosen, choose
from sqcore.evaluation.forms import Asked
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import SystemDefinition
from sqcore.org.models import Unit
from sqcore.org.queries import local_day
from sqcore.reports.evidence import (
    EVIDENCE,
    NEXT_STEPS,
    Effect,
    Evidence,
    EvidenceSource,
    Question,
    Says,
)
from sqcore.reports.rules import (
    ANY_BY_CHANCE,
    BY_CHANCE,
    METHOD,
    Judgement,
    Verdict,
    judge,
    place,
    strength,
)
from sqcore.reports.wording import (
    SAYS_TONES,
    TONES,
    amount,
    between,
    class_advice,
    class_question,
    class_title,
    n_text,
    sentence_of,
    strength_text,
)

BACK, ON = -3.0, 6.0
"""Ends of the bar of an effect, in multiples of what matters."""


@dataclass(frozen=True)
class Heard:
    """A source and what it said."""

    source: EvidenceSource
    evidence: Evidence


@dataclass(frozen=True)
class ClassFound:
    """What was found about a class: the verdict and all that was heard."""

    code: str
    judgement: Judgement
    heard: Sequence[Heard]


@dataclass(frozen=True)
class Diagnosis:
    """The six classes of a unit in a period, by the weight of evidence."""

    chosen: Chosen
    question: Question
    classes: Sequence[ClassFound]


def diagnosis(*, principal: Principal, code: str, asked: Asked, now: datetime) -> Diagnosis | None:
    """Return what speaks for and against each class; None while nothing was evaluated.

    Without a period the newest quarter: a month of a small unit says little. raises: NotFound
    """
    question = _question(principal, code, asked, now)
    if question is None:
        return None
    heard: dict[str, list[Heard]] = {each.code: [] for each in CAUSES.classes}
    chosen, asking = question
    for source in EVIDENCE:
        evidence = source.speak(asking)
        if evidence is not None:
            heard[source.cause].append(Heard(source, evidence))
    found = [
        ClassFound(of, judge(each.evidence for each in listed), listed)
        for of, listed in heard.items()
    ]
    return Diagnosis(chosen, asking, sorted(found, key=lambda each: place(each.judgement)))


def _question(
    principal: Principal, code: str, asked: Asked, now: datetime
) -> tuple[Chosen, Question] | None:
    asked = replace(asked, unit=code)
    if not (asked.period or asked.grain):
        asked = replace(asked, grain=Grain.QUARTER.value)
    chosen = choose(principal=principal, asked=asked)
    if chosen is None:
        return None
    return chosen, Question(
        unit=chosen.tops[0],
        period=chosen.period,
        system=chosen.system,
        run=chosen.run,
        definition=SystemDefinition.from_json(chosen.run.definition),
        principal=principal,
        today=local_day(now),
    )


# The page -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EffectBar:
    """An effect on a scale of multiples of what matters, with a line at 0 and one at what
    matters."""

    bar: IntervalBar
    nothing: float
    label: str


@dataclass(frozen=True)
class EvidenceLine:
    """A piece of evidence as a row; texts, empty where there is none."""

    title: str
    text: str
    says: str
    tone: str
    size: str
    effect_name: str
    amount: str
    between: str
    matters: str
    no_interval: str
    n: str
    since: str
    url: str
    url_title: str
    method: int
    supports_only: bool
    bar: EffectBar | None


@dataclass(frozen=True)
class Card:
    """A class with its verdict, its evidence and what could be done."""

    code: str
    name: str
    question: str
    verdict: str
    tone: str
    sentence: str
    advice: str
    lines: list[EvidenceLine]
    steps: list[tuple[str, str]]

    @property
    def is_silent(self) -> bool:
        return not self.lines


@dataclass(frozen=True)
class DiagnosisPage:
    chosen: Chosen
    unit: Unit
    trail: list[tuple[str, str]]
    cards: list[Card]
    method: int

    @property
    def by_chance(self) -> str:
        """How many of 100 lines speak for a problem where there is none."""
        return number(100 * BY_CHANCE, 1)

    @property
    def any_by_chance(self) -> str:
        return number(100 * ANY_BY_CHANCE, 0)

    @property
    def found(self) -> int:
        """How many classes the numbers speak for."""
        return sum(card.tone == TONES[Verdict.FOR] for card in self.cards)


def diagnosis_page(
    *, principal: Principal, code: str, asked: Asked, now: datetime
) -> DiagnosisPage | None:
    """Return the page of a unit; None while nothing was evaluated. raises: NotFound"""
    found = diagnosis(principal=principal, code=code, asked=asked, now=now)
    if found is None:
        return None
    path = found.chosen.path
    return DiagnosisPage(
        chosen=found.chosen,
        unit=found.question.unit,
        trail=[(str(above), above.code) for above in path[:-1]],
        cards=cards_of(found),
        method=METHOD,
    )


def cards_of(found: Diagnosis) -> list[Card]:
    """Return the classes as they are said to people, in their order."""
    return [_card(found.question, each) for each in found.classes]


def _card(question: Question, found: ClassFound) -> Card:
    judgement = found.judgement
    is_problem = judgement.verdict == Verdict.FOR
    speaking = [each.evidence.sentence for each in found.heard if each.evidence.says == Says.FOR]
    return Card(
        code=found.code,
        name=class_title(found.code),
        question=class_question(found.code),
        verdict=str(judgement.verdict.label),
        tone=TONES[judgement.verdict],
        sentence=sentence_of(judgement),
        advice=class_advice(found.code) if is_problem else "",
        lines=[_line(each) for each in _ordered(found.heard)],
        steps=_steps(question, found.code, speaking) if is_problem else [],
    )


def _ordered(heard: Sequence[Heard]) -> list[Heard]:
    """Return what decides first, then what only supports, then what has not enough data."""
    order = (Says.FOR, Says.UNCLEAR, Says.AGAINST, Says.NOTHING)

    def at(each: Heard) -> tuple[bool, bool, int]:
        said = each.evidence
        return said.says == Says.NOTHING, said.supports_only, order.index(said.says)

    return sorted(heard, key=at)


def _steps(question: Question, cause: str, found: Sequence[str]) -> list[tuple[str, str]]:
    offered = (
        (str(step.title), step.url(question=question, cause=cause, found=found))
        for step in NEXT_STEPS
    )
    return [(title, url) for title, url in offered if url]


def _line(heard: Heard) -> EvidenceLine:
    evidence, effect = heard.evidence, heard.evidence.effect
    size = strength(effect) if evidence.says == Says.FOR else None
    return EvidenceLine(
        title=str(heard.source.title),
        text=evidence.sentence or evidence.why,
        says=str(evidence.says.label),
        tone=SAYS_TONES[evidence.says],
        size=strength_text(size) if size else "",
        **_numbers(effect),
        since=_span(evidence),
        url=evidence.url,
        url_title=evidence.url_title,
        method=heard.source.method,
        supports_only=evidence.supports_only,
        bar=_bar(effect) if effect else None,
    )


def _numbers(effect: Effect | None) -> Mapping[str, str]:
    if effect is None:
        return dict.fromkeys(
            ("effect_name", "amount", "between", "matters", "no_interval", "n"), ""
        )
    return {
        "effect_name": effect.name,
        "amount": amount(effect, effect.value),
        "between": between(effect),
        "matters": amount(effect, effect.matters, with_sign=False),
        "no_interval": effect.no_interval,
        "n": n_text(effect),
    }


def _bar(effect: Effect) -> EffectBar:
    parts = {
        name: None if at is None else at / effect.matters
        for name, at in (("value", effect.value), ("low", effect.low), ("high", effect.high))
    }
    bar = interval_bar_of(**parts, target=1.0, scale=(BACK, ON))
    label = _("%(amount)s %(name)s; from %(matters)s on it matters") % {
        "amount": amount(effect, effect.value),
        "name": effect.name,
        "matters": amount(effect, effect.matters, with_sign=False),
    }
    if found := between(effect):
        label += ", " + _("95 %% interval %(between)s") % {"between": found}
    return EffectBar(bar, round(-BACK / (ON - BACK) * 100, 2), label)


def _span(evidence: Evidence) -> str:
    if evidence.since is None and evidence.until is None:
        return ""
    ends = [_day(evidence.since), _day(evidence.until and evidence.until - timedelta(days=1))]
    return " – ".join(each for each in ends if each)


def _day(on: date | None) -> str:
    return day(on) if on else ""


def rows_of(found: Diagnosis) -> Iterable[Mapping[str, object]]:
    """Yield the classes as REST says them."""
    for each in found.classes:
        yield {
            "code": each.code,
            "name": class_title(each.code),
            "verdict": each.judgement.verdict.value,
            "strength": each.judgement.strength.value,
            "weight": round(each.judgement.weight, 3),
            "contradicted": each.judgement.is_contradicted,
            "evidence": [_row(heard) for heard in each.heard],
        }


def _row(heard: Heard) -> Mapping[str, object]:
    evidence, effect = heard.evidence, heard.evidence.effect
    numbers: dict[str, object] = dict.fromkeys(
        ("effect", "measured", "value", "low", "high", "matters", "n", "counts")
    )
    if effect is not None:
        numbers = {
            "effect": effect.name,
            "measured": effect.measured.value,
            "value": effect.value,
            "low": effect.low,
            "high": effect.high,
            "matters": effect.matters,
            "n": effect.n,
            "counts": effect.counts,
        }
    return {
        "key": heard.source.key,
        "title": str(heard.source.title),
        "method": heard.source.method,
        "says": evidence.says.value,
        "strength": strength(effect).value if evidence.says == Says.FOR else "none",
        "supports_only": evidence.supports_only,
        "sentence": evidence.sentence,
        "why": evidence.why or (effect.no_interval if effect else ""),
        "since": evidence.since,
        "until": evidence.until,
        "page": evidence.url,
        **numbers,
    }
