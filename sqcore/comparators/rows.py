"""Files of competitors and the market: one row a value, as public statistics have them.

What such a file holds of others, of other measures, or as “Not Available” is told row by row and
stops nothing. Names that the file uses for comparators and indicators are kept once
(`ForeignName`), so that the next file is understood as it comes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.base.errors import Problem
from sqcore.comparators.models import Comparator, ForeignName
from sqcore.comparators.rules import LATEST, MOST_COUNTED, NewValue, faults_of, reading
from sqcore.comparators.services import take_values
from sqcore.files.cells import normal, whole_number
from sqcore.files.kinds import Intake, RowField, Rows
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.models import Indicator
from sqcore.org.queries import local_day

FIELDS = (
    RowField(
        "comparator",
        gettext_lazy("Competitor or market"),
        guess=r"comparator|competitor|facility id|provider id|^state$|竞争|对标",
        required=True,
    ),
    RowField(
        "indicator", gettext_lazy("Indicator"), guess=r"measure id|indicator|指标", required=True
    ),
    RowField("starts_on", gettext_lazy("First day"), "day", r"start|from|起|开始", required=True),
    RowField("last_on", gettext_lazy("Last day"), "day", r"end|last|until|止|结束", required=True),
    RowField("value", gettext_lazy("Value, in the unit of the indicator"), guess=r"^value$|数值"),
    RowField(
        "percent", gettext_lazy("Value in percent"), guess=r"answer percent$|^percent|^%|百分比"
    ),
    RowField("low", gettext_lazy("Lower end of its 95 % interval"), guess=r"^low|lower|下限"),
    RowField("high", gettext_lazy("Upper end of its 95 % interval"), guess=r"^high|upper|上限"),
    RowField(
        "n", gettext_lazy("Number of answers or cases"), guess=r"completed surveys$|^n$|样本"
    ),
    RowField("source", gettext_lazy("Source"), guess=r"source|来源", required=True),
    RowField("url", gettext_lazy("Address of the source"), guess=r"^url$|address of|网址"),
    RowField("published_on", gettext_lazy("Published"), "day", r"publish|release|发布"),
    RowField("note", gettext_lazy("Footnote"), guess=r"percent footnote$|^footnote|^note|备注"),
)  # fmt: skip
NOTHING = frozenset({"not available", "not applicable", "n/a", "na", "nan", "-", "–", "--", "*"})
"""What stands in a cell, in the writing of `normal`, where there is no value."""


@dataclass
class ComparatorIntake:
    """Checks piece by piece and takes all in at the end, in one transaction."""

    by: Principal
    now: datetime
    comparators: Mapping[str, Comparator]
    indicators: Mapping[str, Indicator]
    _good: list[NewValue] = field(default_factory=list)
    _rows: list[NewValue] = field(default_factory=list)
    _told: list[Problem] = field(default_factory=list)
    _seen: set[Any] = field(default_factory=set)

    def problems(self, rows: Rows) -> list[Problem]:
        self._good, self._told = [], []
        found: list[Problem] = []
        today = local_day(self.now)
        for number, row in enumerate(rows, start=1):
            faults = self._read(row, number, today)
            found += [Problem(each.reason, field=each.field, row=number) for each in faults]
        return found

    def told(self) -> list[Problem]:
        return self._told

    def _tell(self, number: int, name: str, reason: str) -> list[Problem]:
        self._told.append(Problem(reason, field=name, row=number))
        return []

    def _read(self, row: Mapping[str, Any], number: int, today: date) -> list[Problem]:
        """Note the value of a row, or tell why it has none; return what is wrong with it."""
        missing = [name for name in ("comparator", "indicator", "starts_on", "last_on", "source")
                   if not row.get(name)]  # fmt: skip
        if missing:
            return [Problem(_("is missing"), field=name) for name in missing]
        known = {"comparator": self.comparators, "indicator": self.indicators}
        for name, codes in known.items():
            if row[name] not in codes:
                said = {"name": row[name][:40]}
                return self._tell(number, name, _("“%(name)s” is none of yours: left out") % said)
        name = "value" if "value" in row else "percent"
        text = str(row.get(name, ""))
        if not text or normal(text) in NOTHING or (row.get("note") and reading(text) is None):
            reason = row.get("note") or text or _("no value")
            return self._tell(number, name, _("no value: %(reason)s") % {"reason": reason[:200]})
        return self._take(row, number, today)

    def _take(self, row: Mapping[str, Any], number: int, today: date) -> list[Problem]:
        indicator = self.indicators[row["indicator"]]
        if "value" in row and "percent" in row:
            return [Problem(_("give either value or percent"), field="percent")]
        in_percent = "percent" in row
        numbers = {
            name: reading(str(row[name]), indicator, in_percent=in_percent)
            for name in ("value", "percent", "low", "high")
            if row.get(name) and normal(str(row[name])) not in NOTHING
        }
        wrong = [name for name, found in numbers.items() if found is None]
        if wrong:
            return [
                Problem(_("“%(text)s” is no number") % {"text": str(row[name])[:40]}, field=name)
                for name in wrong
            ]
        given = {name: found for name, found in numbers.items() if found is not None}
        new = NewValue(
            comparator=self.comparators[row["comparator"]],
            indicator=indicator,
            starts_on=date.fromisoformat(row["starts_on"]),
            ends_on=min(date.fromisoformat(row["last_on"]), LATEST) + timedelta(days=1),
            value=given["percent" if in_percent else "value"],
            low=given.get("low"),
            high=given.get("high"),
            n=self._n(row, number),
            source=row["source"].strip(),
            url=row.get("url", ""),
            published_on=_day(row, "published_on"),
            note=row.get("note", ""),
        )
        faults = [
            _about(each, "last_on" if each.field == "ends_on" else each.field)
            for each in faults_of(new, today=today)
        ]
        if not faults and new.place in self._seen:
            faults = [Problem(_("an earlier row of the file says the same thing"), "indicator")]
        self._seen.add(new.place)
        if not faults:
            self._good.append(new)
        return faults

    def _n(self, row: Mapping[str, Any], number: int) -> int | None:
        text = str(row.get("n", ""))
        found = whole_number(text)
        if text and (found is None or not 1 <= found <= MOST_COUNTED):
            said = {"text": text[:40]}
            self._tell(number, "n", _("“%(text)s”: the value is taken without its number") % said)
            return None
        return found

    def store(self, rows: Rows) -> None:
        """Keep what the last check of these rows let through, until the end."""
        self._rows += self._good
        self._good = []

    def finish(self) -> Mapping[str, int]:
        taken = take_values(rows=self._rows, by=self.by, now=self.now)
        return {"new": taken.new, "replaced": taken.replaced, "unchanged": taken.unchanged}


def _about(problem: Problem, name: str) -> Problem:
    return Problem(problem.reason, field=name)


def _day(row: Mapping[str, Any], name: str) -> date | None:
    return date.fromisoformat(row[name]) if row.get(name) else None


class ComparatorRows:
    """One row a value of a competitor or the market."""

    key = "comparators"
    permission = Permission.MANAGE_COMPARATORS
    fields: Sequence[RowField] = FIELDS

    @property
    def title(self) -> str:
        return _("Files of competitors and the market")

    def codes(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        """Return codes and names; what files of others say stands among the names."""
        found = {
            "comparator": _named(Comparator.objects.values_list("code", "name")),
            "indicator": _named(Indicator.objects.values_list("code", "name")),
        }
        names = ForeignName.objects.order_by("id")
        for text, comparator, indicator in names.values_list(
            "text", "comparator__code", "indicator__code"
        ):
            code = comparator or indicator
            found["comparator" if comparator else "indicator"][code].insert(0, text)
        return found

    def open(self, *, by: Principal, now: datetime) -> Intake:
        by.require(self.permission)
        return ComparatorIntake(
            by,
            now,
            {each.code: each for each in Comparator.objects.all()},
            {each.code: each for each in Indicator.objects.all()},
        )


def _named(rows: Any) -> dict[str, list[str]]:
    return {code: list(name.values()) for code, name in rows.order_by("code")}
