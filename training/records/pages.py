"""HR's page “Training”: what needs somebody today, how far each unit is, hours, cost and effect."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Unit, of_people
from sqcore.org.queries import UnitTree, local_day, tree_on
from training.certificates.pages import claims_to_decide
from training.courses.models import Course, Session
from training.enrolments.models import Attendance, Enrolment
from training.needs.models import Need
from training.records.queries import EXPORTS, Export
from training.records.rows import FROM_FILE
from training.requirements.queries import (
    Coverage,
    coverage,
    expiring_counts,
    overdue_seen_by,
)

MOST_COURSES = 15


@dataclass(frozen=True)
class Matter:
    """Something that waits for somebody, and where."""

    label: str
    count: int
    url: str
    note: str = ""
    tone: str = ""


@dataclass(frozen=True)
class UnitLine:
    """How far a unit is, all below it counted in."""

    unit: Unit
    met: int
    waived: int
    open: int
    overdue: int
    has_below: bool

    @property
    def total(self) -> int:
        return self.met + self.waived + self.open

    @property
    def done(self) -> int:
        return self.met + self.waived


@dataclass(frozen=True)
class CourseLine:
    """What a course took and gave this year; costs are in cents."""

    course: Course
    sessions: int
    passed: int
    minutes: int
    cost: int

    @property
    def hours(self) -> float:
        return self.minutes / 60

    @property
    def cost_shown(self) -> float:
        return self.cost / 100

    @property
    def cost_each(self) -> float | None:
        return self.cost / 100 / self.passed if self.passed and self.cost else None


@dataclass(frozen=True)
class Year:
    """Hours that the lists of attendance prove, those that files tell of, and what it cost."""

    number: int
    proved: float
    told: float
    planned: float
    actual: float
    passed: int
    each: float | None
    courses: list[CourseLine] = field(default_factory=list)


@dataclass(frozen=True)
class Overview:
    matters: list[Matter]
    units: list[UnitLine]
    above: Unit | None
    year: Year


def overview_of(*, principal: Principal, unit_code: str, now: datetime) -> Overview:
    """Return the page for who asks. The number of queries does not depend on their number."""
    on = local_day(now)
    seen = {
        unit.pk: unit
        for unit in Unit.objects.visible_to(principal, Permission.VIEW_TRAINING).order_by("code")
    }
    above = next((unit for unit in seen.values() if unit.code == unit_code), None)
    return Overview(
        matters=_matters(principal, on),
        units=_units(coverage(principal, on=on), tree_on(on), seen, above),
        above=above,
        year=_year(principal, on),
    )


# ---- What waits ----------------------------------------------------------------------------------
def _matters(principal: Principal, on: date) -> list[Matter]:
    late = overdue_seen_by(principal, on=on)
    in30, in60, in90 = expiring_counts(principal, on=on)
    needs = Need.objects.visible_to(principal, on=on).filter(state=Need.State.OPEN).count()
    to_close = _sessions(principal).filter(state=Session.State.PLANNED, ends_on__lt=on).count()
    claims = claims_to_decide(principal, on=on).count()
    ends = _("%(sixty)d within 60 days, %(ninety)d within 90") % {"sixty": in60, "ninety": in90}
    people = _("courses that %(n)d people owe") % {"n": late.people}
    return [
        Matter(
            _("Overdue"), late.obligations, reverse("training:requirements-overdue"), people,
            "bad" if late.obligations else "",
        ),
        Matter(
            _("Ends within 30 days"), in30,
            f"{reverse('training:requirements-expiring')}?within=30", ends,
            "watch" if in30 else "",
        ),
        Matter(_("Training needs open"), needs, reverse("training:needs-list")),
        Matter(
            _("Sessions to close"), to_close, reverse("training:courses-calendar"),
            _("their last day is over"), "watch" if to_close else "",
        ),
        Matter(
            _("Training elsewhere to decide"), claims, reverse("training:certificates-external"),
            tone="watch" if claims else "",
        ),
    ]  # fmt: skip


def _sessions(principal: Principal) -> QuerySet[Session]:
    """Sessions of units whose training the asker sees; who sees all sees those without a unit."""
    scope = principal.scope(Permission.VIEW_TRAINING)
    found = Session.objects.exclude(state=Session.State.CANCELLED)
    return found if scope.everywhere else found.filter(unit__in=scope.units)


# ---- How far each unit is ------------------------------------------------------------------------
def _units(
    rows: Iterable[Coverage], tree: UnitTree, seen: Mapping[int, Unit], above: Unit | None
) -> list[UnitLine]:
    by_unit = {row.unit_id: row for row in rows}
    found = []
    for pk in _shown(tree, seen, above):
        parts = [by_unit[each] for each in tree.below(pk) if each in by_unit]
        if parts:
            found.append(
                UnitLine(
                    seen[pk],
                    sum(part.met for part in parts),
                    sum(part.waived for part in parts),
                    sum(part.open for part in parts),
                    sum(part.overdue for part in parts),
                    any(child in seen for child in tree.children.get(pk, [])),
                )
            )
    return sorted(found, key=lambda line: (-line.overdue, line.unit.code))


def _shown(tree: UnitTree, seen: Mapping[int, Unit], above: Unit | None) -> list[int]:
    """Return the units below the one that was chosen, itself where there are none; at first those
    below the highest that the asker sees."""
    if above is not None:
        tops = [above.pk]
    else:
        tops = [pk for pk in seen if tree.parents.get(pk) not in seen]
    below = [child for top in tops for child in tree.children.get(top, []) if child in seen]
    return [*(top for top in tops if above is not None or not below), *below]


# ---- The year ------------------------------------------------------------------------------------
def _year(principal: Principal, on: date) -> Year:
    first = date(on.year, 1, 1)
    held = _sessions(principal).filter(ends_on__gte=first, ends_on__lte=on)
    of_year = _sessions(principal).filter(starts_on__gte=first, starts_on__year=on.year)
    costs = of_year.aggregate(planned=Sum("planned_cost"), actual=Sum("actual_cost"))
    lines = _courses(principal, held, on)
    paid = [line for line in lines if line.cost]
    passed = sum(line.passed for line in paid)
    actual = sum(line.cost for line in paid)
    return Year(
        number=on.year,
        proved=_proved(principal, first, on) / 60,
        told=_told(principal, first, on) / 60,
        planned=(costs["planned"] or 0) / 100,
        actual=(costs["actual"] or 0) / 100,
        passed=sum(line.passed for line in lines),
        each=actual / 100 / passed if passed else None,
        courses=lines[:MOST_COURSES],
    )


def _proved(principal: Principal, first: date, on: date) -> int:
    mine = of_people(principal, Permission.VIEW_TRAINING, on=on, prefix="enrolment__staff")
    found = Attendance.objects.filter(
        mine, slot__session__ends_on__gte=first, slot__session__starts_on__lte=on
    )
    return found.aggregate(n=Sum("minutes"))["n"] or 0


def _told(principal: Principal, first: date, on: date) -> int:
    found = Enrolment.objects.visible_to(principal, on=on).filter(
        concluded_on__gte=first, session__code__startswith=FROM_FILE
    )
    return found.aggregate(n=Sum("minutes"))["n"] or 0


def _courses(principal: Principal, held: QuerySet[Session], on: date) -> list[CourseLine]:
    """Return what each course of the year took and gave, the dearest first."""
    costs = {
        row["version__course"]: row
        for row in held.filter(state=Session.State.HELD)
        .order_by()
        .values("version__course")
        .annotate(n=Count("pk"), cost=Sum("actual_cost"))
    }
    results = (
        Enrolment.objects.visible_to(principal, on=on)
        .filter(session__in=held.filter(state=Session.State.HELD))
        .order_by()
        .values("session__version__course")
        .annotate(
            passed=Count("pk", filter=Q(state=Enrolment.State.PASSED)), minutes=Sum("minutes")
        )
    )
    people: dict[int, Mapping[str, Any]] = {row["session__version__course"]: row for row in results}
    courses = Course.objects.in_bulk(list(costs))
    lines = [
        CourseLine(
            courses[pk],
            sessions=row["n"],
            passed=people.get(pk, {}).get("passed", 0),
            minutes=people.get(pk, {}).get("minutes") or 0,
            cost=row["cost"] or 0,
        )
        for pk, row in costs.items()
    ]
    return sorted(lines, key=lambda line: (-line.cost, -line.passed, line.course.code))


# ---- Files ---------------------------------------------------------------------------------------
@dataclass(frozen=True)
class FileCard:
    """A kind of file: what leaves, and where it comes in."""

    export: Export
    may_take: bool


def file_cards(principal: Principal) -> list[FileCard]:
    """Return the kinds of files that the asker may take out, or in."""
    return [
        FileCard(export, principal.scope(export.takes).everywhere)
        for export in EXPORTS.values()
        if principal.may(export.permission)
    ]
