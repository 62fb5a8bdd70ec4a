"""What customers expect and how that shifts, as it stands on the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _

from sqcore.base.periods import Grain, Period, title_of
from sqcore.base.text import in_language, number, signed
from sqcore.identity.principals import Principal
from sqcore.org.models import Segment
from sqcore.org.queries import fiscal_start
from surveys.analyses.models import Analysis
from surveys.gaps.shifts import (
    Against,
    Change,
    Changes,
    Expected,
    changes_in,
    expectation_rows,
    expected_in,
    newest_quarter,
    with_former,
)


@dataclass(frozen=True)
class Shift:
    """A change in words; empty where the earlier quarter is not known."""

    change: Change | None

    @property
    def value(self) -> str:
        return signed(self.change.value, 1) if self.change else ""

    @property
    def between(self) -> str:
        if self.change is None:
            return ""
        return _("%(low)s to %(high)s") % {
            "low": signed(self.change.low, 1),
            "high": signed(self.change.high, 1),
        }

    @property
    def q(self) -> str:
        if self.change is None:
            return ""
        return _("< 0.001") if self.change.q < 0.001 else number(self.change.q, 3)

    @property
    def word(self) -> str:
        if self.change is None or not self.change.is_clear:
            return ""
        return _("rose") if self.change.value > 0 else _("fell")


@dataclass(frozen=True)
class ExpectedLine:
    """A dimension in a group: what is expected now, and its shifts."""

    name: str
    expected: Expected
    quarter: Shift
    year: Shift

    @property
    def mean(self) -> str:
        return number(self.expected.mean, 1)

    @property
    def between(self) -> str:
        low, high = self.expected.interval
        return _("%(low)s to %(high)s") % {"low": number(low, 1), "high": number(high, 1)}


@dataclass(frozen=True)
class ExpectedGroup:
    """The whole or a segment; without lines too few answered."""

    name: str
    n: int | None
    lines: Sequence[ExpectedLine]


@dataclass(frozen=True)
class ExpectedPart:
    """The part of a page; without groups nothing was found yet."""

    title: str = ""
    groups: Sequence[ExpectedGroup] = ()
    source: str = ""

    @property
    def said(self) -> list[str]:
        """Return what shifted clearly, in sentences."""
        lines = [(group, line) for group in self.groups for line in group.lines]
        found = [
            sentence
            for group, line in lines
            for sentence in (
                _clear(_("Since the former quarter"), group, line, line.quarter),
                _clear(_("Since a year before"), group, line, line.year),
            )
            if sentence
        ]
        if found:
            return found
        if any(line.quarter.change or line.year.change for _group, line in lines):
            return [_("No shift of what customers expect can be told from chance.")]
        return [_("There is no earlier quarter to compare with yet.")] if lines else []


def _clear(since: str, group: ExpectedGroup, line: ExpectedLine, shift: Shift) -> str:
    if not shift.word or shift.change is None:
        return ""
    words = {"since": since, "group": group.name, "name": line.name, "between": shift.between}
    if shift.change.value > 0:
        return _("%(since)s, %(group)s expect more of “%(name)s”: %(between)s points.") % words
    return _("%(since)s, %(group)s expect less of “%(name)s”: %(between)s points.") % words


def expected_part(*, principal: Principal, on: date, until: date | None) -> ExpectedPart:
    """Return what customers expected in the newest quarter, or the newest that was over by a day.

    on: today
    """
    rows = expectation_rows(principal, on=on)
    newest = newest_quarter(rows.filter(status="ok"), until)
    if newest is None:
        return ExpectedPart()
    some = with_former(
        rows.select_related("version__instrument"), newest.version_id, newest.starts_on
    )
    changes = changes_in(some)
    here = [row for row in some if row.starts_on == newest.starts_on]
    here.sort(key=lambda row: (row.margin, row.margin_value))
    segments = {each.code: str(each) for each in Segment.objects.all()}
    title = title_of(Period(newest.starts_on, Grain.QUARTER, fiscal_start()))
    return ExpectedPart(
        title,
        [_group(row, segments, changes) for row in here],
        _("%(questionnaire)s, %(period)s.")
        % {"questionnaire": in_language(here[0].version.instrument.name), "period": title},
    )


def _group(row: Analysis, segments: dict[str, str], changes: Changes) -> ExpectedGroup:
    names = {each["code"]: in_language(each["name"]) for each in row.version.dimensions}

    def shift(code: str, against: Against) -> Shift:
        return Shift(changes.get((row.pk, code, against)))

    return ExpectedGroup(
        segments.get(row.margin_value, row.margin_value) if row.margin else _("All customers"),
        row.n,
        [
            ExpectedLine(
                names.get(each.code, each.code),
                each,
                shift(each.code, "quarter"),
                shift(each.code, "year"),
            )
            for each in expected_in(row)
        ],
    )
