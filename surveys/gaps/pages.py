"""What the page of the five gaps shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import ceil, floor
from typing import Any

from django.utils.translation import gettext as _

from sqcore.base.periods import title_of
from sqcore.base.text import day, in_language, number, signed
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.stats.gaps import Gap, GapResult, knowledge_gap
from sqcore.stats.results import Figure, MethodStatus
from surveys.analyses.wording import sentence
from surveys.gaps import wording
from surveys.gaps.expected import ExpectedPart, expected_part
from surveys.gaps.kinds import CUSTOMERS, MANAGERS, STAFF, figure_from_json, side_from_json
from surveys.gaps.queries import Side, ends_seen_by, questionnaires, sides_seen_by

Stored = Mapping[str, Any]


@dataclass(frozen=True)
class Amount:
    """A gap of one dimension, or of all, as it is drawn and said."""

    name: str
    figure: Figure

    @property
    def value(self) -> str:
        return signed(self.figure.value, 2) if self.figure.value is not None else ""

    @property
    def between(self) -> str:
        if self.figure.low is None or self.figure.high is None:
            return ""
        return _("%(low)s to %(high)s") % {
            "low": signed(self.figure.low, 2),
            "high": signed(self.figure.high, 2),
        }

    @property
    def why_not(self) -> str:
        if self.figure.value is not None:
            return ""
        # Asked it was: what fewer answered than may be shown was left out.
        status = self.figure.status if self.figure.n else MethodStatus.INSUFFICIENT_N
        return sentence(status, None)


@dataclass(frozen=True)
class CauseLine:
    """A likely cause: the mean of its questions from the middle of the scale."""

    title: str
    amount: Amount
    speaks: bool


@dataclass(frozen=True)
class GapLine:
    """One of the five gaps: how large, where, said by whom and when, and what may cause it."""

    gap: Gap
    overall: Amount | None
    dimensions: Sequence[Amount] = ()
    sources: Sequence[str] = ()
    causes: Sequence[CauseLine] = ()
    missing: str = ""
    aside: str = ""

    @property
    def number(self) -> int:
        return int(self.gap)

    @property
    def title(self) -> str:
        return str(wording.TITLES[self.gap])

    @property
    def name(self) -> str:
        return str(wording.NAMES[self.gap])

    @property
    def means(self) -> str:
        return str(wording.MEANS[self.gap])

    @property
    def tone(self) -> str:
        return wording.verdict(self.gap, self.overall.figure)[0] if self.overall else ""

    @property
    def verdict(self) -> str:
        if self.overall is None:
            return ""
        return wording.verdict(self.gap, self.overall.figure)[1] or self.overall.why_not

    @property
    def spoken_causes(self) -> list[CauseLine]:
        return [cause for cause in self.causes if cause.speaks]


@dataclass(frozen=True)
class GapsPage:
    lines: Sequence[GapLine]
    scale: tuple[int, int]
    ends: Sequence[tuple[str, str]]
    end: str
    to_ask: Sequence[tuple[str, int]] = field(default_factory=list)
    expected: ExpectedPart = field(default_factory=ExpectedPart)

    @property
    def span(self) -> tuple[str, str]:
        low, high = self.scale
        return signed(low, 0), signed(high, 0)

    @property
    def known(self) -> bool:
        """Whether any of the five is known, so that there is something to compare."""
        return any(line.overall is not None for line in self.lines)

    @property
    def widest(self) -> GapLine | None:
        """The widest of the gaps that are distances from the best there is: where to look first.
        What managers do not know (gap 1) is a difference of another kind, and stands apart."""
        inside = [
            line
            for line in self.lines
            if line.gap in (Gap.STANDARDS, Gap.DELIVERY, Gap.COMMUNICATION)
            and line.overall
            and line.tone == "bad"
        ]
        return min(inside, key=lambda line: line.overall.figure.value or 0.0, default=None)  # type: ignore[union-attr]  # those without were left out


def gaps_page(*, principal: Principal, on: date, until: str = "") -> GapsPage:
    """Return the five gaps by the newest findings, or those up to a day (ISO).

    on: today
    """
    ends = ends_seen_by(principal)
    chosen = next((end for end in ends if end.isoformat() == until), ends[0] if ends else None)
    # Unless asked otherwise, the newest of each side stands beside the newest of the others.
    sides = sides_seen_by(principal, until=chosen if until and chosen else None)
    lines = [
        _knowledge(sides),
        _of(Gap.STANDARDS, sides.get(MANAGERS), "standards"),
        _of(Gap.DELIVERY, sides.get(STAFF), "delivery"),
        _communication(sides),
        _of(Gap.SERVICE, sides.get(CUSTOMERS), "service"),
    ]
    may_ask = principal.may(Permission.MANAGE_SURVEYS)
    asked = questionnaires() if may_ask else {}
    return GapsPage(
        lines=lines,
        scale=_scale(lines),
        ends=[(end.isoformat(), _until(end)) for end in ends],
        end=chosen.isoformat() if chosen else "",
        to_ask=[
            (in_language(version.instrument.name), version.pk)
            for code, version in asked.items()
            if code not in sides
        ],
        expected=expected_part(
            principal=principal, on=on, until=chosen if until and chosen else None
        ),
    )


def _until(end: date) -> str:
    last = end - timedelta(days=1)
    return _("until %(day)s") % {"day": day(last)}


def _knowledge(sides: Mapping[str, Side]) -> GapLine:
    managers, customers = sides.get(MANAGERS), sides.get(CUSTOMERS)
    missing = [_missing(kind) for kind in (MANAGERS, CUSTOMERS) if kind not in sides]
    if managers is None or customers is None:
        return GapLine(Gap.KNOWLEDGE, None, missing=" ".join(missing))
    theirs, ours = managers.analysis.found, customers.analysis.found
    if theirs["dimensions"] != ours["dimensions"] or theirs["scale"] != ours["scale"]:
        said = _("Managers and customers were asked about other dimensions.")
        return GapLine(Gap.KNOWLEDGE, None, missing=said)
    result = knowledge_gap(
        side_from_json(theirs["expectations"]),
        side_from_json(ours["expectations"]),
        scale=tuple(ours["scale"]),
    )
    return GapLine(
        Gap.KNOWLEDGE,
        Amount(_("Overall"), result.overall),
        _dimensions(customers, result),
        [_source(managers), _source(customers)],
        _causes(managers, Gap.KNOWLEDGE),
    )


def _of(gap: Gap, side: Side | None, key: str) -> GapLine:
    if side is None:
        kind = {Gap.STANDARDS: MANAGERS, Gap.DELIVERY: STAFF, Gap.SERVICE: CUSTOMERS}[gap]
        return GapLine(gap, None, missing=_missing(kind))
    result = _result(gap, side.analysis.found[key])
    return GapLine(
        gap,
        Amount(_("Overall"), result.overall),
        _dimensions(side, result),
        [_source(side)],
        _causes(side, gap),
    )


def _communication(sides: Mapping[str, Side]) -> GapLine:
    """Gap 4 as staff see it, who must keep what was promised; beside it what managers say."""
    staff, managers = sides.get(STAFF), sides.get(MANAGERS)
    if staff is None and managers is not None:
        return _of_managers(managers)
    line = (
        _of(Gap.COMMUNICATION, staff, "communication")
        if staff
        else GapLine(Gap.COMMUNICATION, None, missing=_missing(STAFF))
    )
    if staff is None or managers is None:
        return line
    other = Amount("", figure_from_json(managers.analysis.found["communication"]["overall"]))
    aside = (
        _("Managers say %(value)s (%(between)s, n = %(n)s).")
        % {"value": other.value, "between": other.between, "n": number(other.figure.n, 0)}
        if other.value
        else ""
    )
    return GapLine(line.gap, line.overall, line.dimensions, line.sources, line.causes, "", aside)


def _of_managers(managers: Side) -> GapLine:
    result = _result(Gap.COMMUNICATION, managers.analysis.found["communication"])
    return GapLine(
        Gap.COMMUNICATION,
        Amount(_("Overall"), result.overall),
        _dimensions(managers, result),
        [_source(managers)],
    )


def _result(gap: Gap, stored: Stored) -> GapResult:
    figures = tuple(figure_from_json(each) for each in stored["dimensions"])
    return GapResult(gap, figures, figure_from_json(stored["overall"]))


def _dimensions(side: Side, result: GapResult) -> list[Amount]:
    names = {each["code"]: in_language(each["name"]) for each in side.analysis.version.dimensions}
    codes = side.analysis.found["dimensions"]
    return [
        Amount(names.get(code, code), figure)
        for code, figure in zip(codes, result.dimensions, strict=True)
    ]


def _causes(side: Side, gap: Gap) -> list[CauseLine]:
    return [
        CauseLine(
            str(wording.CAUSES[each["cause"]]),
            Amount("", figure_from_json(each)),
            bool(each["speaks"]),
        )
        for each in side.analysis.found.get("causes", {}).get(str(int(gap)), ())
    ]


def _source(side: Side) -> str:
    return _("%(questionnaire)s, %(period)s, n = %(n)s") % {
        "questionnaire": in_language(side.analysis.version.instrument.name),
        "period": title_of(side.period),
        "n": number(side.analysis.n or 0, 0),
    }


def _missing(kind: str) -> str:
    return {
        CUSTOMERS: _("Customers were not asked what they expect, or fewer than 30 answered."),
        MANAGERS: _("Managers were not asked yet, or fewer than 5 answered."),
        STAFF: _("Contact staff were not asked yet, or fewer than 5 answered."),
    }[kind]


def _scale(lines: Sequence[GapLine]) -> tuple[int, int]:
    """Return whole numbers between which all intervals lie, 0 among them."""
    known = [
        end
        for line in lines
        for amount in (*line.dimensions, *([line.overall] if line.overall else []))
        for end in (amount.figure.value, amount.figure.low, amount.figure.high)
        if end is not None
    ]
    return min(-1, floor(min(known, default=0.0))), max(1, ceil(max(known, default=0.0)))
