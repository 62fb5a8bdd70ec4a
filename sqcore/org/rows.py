"""Files of staff: who works here, where, how they are employed, when they were away.

Rows are brought up to what a file says, by staff number: what is there already stays as it is, an
empty cell changes nothing, and the same file again changes nothing at all. A piece of the file is
stored at a time, so that a big one needs neither much memory nor one long transaction.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.base import bus
from sqcore.base.errors import NotPermitted, Problem
from sqcore.base.events import PeopleMoved
from sqcore.files.kinds import Intake, RowField, Rows
from sqcore.files.writing import meant
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Assignment, Leave, Post, Staff, Terms, Unit
from sqcore.org.queries import local_day

EARLIEST = date(1940, 1, 1)
AHEAD = timedelta(days=366)
"""How far ahead a day may lie that is known already."""

NUMBER = RowField(
    "number",
    gettext_lazy("Staff number"),
    guess=r"^number$|staff|employee|personnel|工号|员工编号",
    required=True,
)
UNIT = RowField("unit", gettext_lazy("Unit"), guess=r"unit|branch|department|网点|机构|支行|部门")
POST = RowField("post", gettext_lazy("Post"), guess=r"post|position|job|role|岗位|职位")
FROM = RowField(
    "valid_from", gettext_lazy("From"), "day", r"from|start|begin|开始|起", required=True
)
UNTIL = RowField("valid_to", gettext_lazy("Until"), "day", r"until|^to$|end|结束|止")

STAFF_FIELDS = (
    NUMBER,
    RowField("name", gettext_lazy("Name"), guess=r"name|姓名"),
    RowField("joined_on", gettext_lazy("Joined"), "day", r"join|hire|entry|入职"),
    RowField("left_on", gettext_lazy("Left"), "day", r"left|leave|exit|termin|离职"),
    UNIT,
    POST,
    RowField("since", gettext_lazy("Works there since"), "day", r"since|assigned|到岗|调任"),
    RowField("sex", gettext_lazy("Sex"), guess=r"^sex$|gender|性别"),
    RowField("born_in", gettext_lazy("Year of birth"), "number", r"birth|born|出生"),
    RowField(
        "weekly_minutes", gettext_lazy("Minutes a week"), "number", r"weekly|minutes|每周|工时"
    ),
)
ASSIGNMENT_FIELDS = (
    NUMBER,
    RowField("unit", UNIT.title, guess=UNIT.guess, required=True),
    RowField("post", POST.title, guess=POST.guess, required=True),
    FROM,
    UNTIL,
)
LEAVE_FIELDS = (NUMBER, FROM, RowField("valid_to", UNTIL.title, "day", UNTIL.guess, required=True))

Faults = Iterator[tuple[str, str]]


# ---- What all kinds share ------------------------------------------------------------------------
def require_everywhere(by: Principal, permission: Permission) -> None:
    """raises: NotPermitted for who may it at some units only: a file is about all of them"""
    if not by.scope(permission).everywhere:
        raise NotPermitted(_("Files of people are taken in by who sees to all units."))


def day_of_row(row: Mapping[str, Any], name: str) -> date | None:
    """Return a day that the reader of the file has checked to be one."""
    return date.fromisoformat(row[name]) if row.get(name) else None


def impossible(day: date | None, today: date) -> bool:
    """True for a day that nobody can mean."""
    return day is not None and not EARLIEST <= day <= today + AHEAD


def codes_of(rows: Any) -> dict[str, list[str]]:
    """Return, by code, the names that a file may use for it."""
    return {code: list(name.values()) for code, name in rows.order_by("code")}


def staff_numbered(rows: Rows) -> dict[str, Staff]:
    """Return the staff that these rows name. One query."""
    numbers = {str(row.get("number", "")) for row in rows}
    return {each.number: each for each in Staff.objects.filter(number__in=numbers)}


@dataclass
class Ground:
    """The places and posts that rows can name."""

    units: Mapping[str, Unit]
    posts: Mapping[str, Post]

    @classmethod
    def today(cls) -> "Ground":
        return cls(
            units={unit.code: unit for unit in Unit.objects.order_by("pk")},
            posts={post.code: post for post in Post.objects.order_by("pk")},
        )

    def faults(self, row: Mapping[str, Any], on: date | None) -> Faults:
        unit = self.units.get(row["unit"])
        if unit is None:
            yield "unit", _("“%(code)s” is not known") % {"code": row["unit"][:40]}
        elif on is not None and not _is_open(unit, on):
            yield "unit", _("is closed on that day")
        if row["post"] not in self.posts:
            yield "post", _("“%(code)s” is not known") % {"code": row["post"][:40]}


def _is_open(unit: Unit, on: date) -> bool:
    return unit.opened_on <= on and (unit.closed_on is None or unit.closed_on > on)


@dataclass
class PieceIntake:
    """Checks a piece of a file, then stores what the check let through; what is in the file twice
    is refused the second time."""

    now: datetime
    seen: set[Any] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=lambda: {"new": 0, "changed": 0, "unchanged": 0})

    @property
    def today(self) -> date:
        return local_day(self.now)

    def problems(self, rows: Rows) -> list[Problem]:
        self.begin(rows)
        found = []
        for number, row in enumerate(rows, start=1):
            faults = list(self.faults(row))
            found += [Problem(reason, field=name, row=number) for name, reason in faults]
            if not faults:
                self.plan(row)
        return found

    def begin(self, rows: Rows) -> None:
        """Read what is known about the rows of a piece."""
        raise NotImplementedError

    def faults(self, row: Mapping[str, Any]) -> Faults:
        raise NotImplementedError

    def plan(self, row: Mapping[str, Any]) -> None:
        """Remember what a good row changes."""
        raise NotImplementedError

    def store(self, rows: Rows) -> None:
        raise NotImplementedError

    def finish(self) -> Mapping[str, int]:
        return self.counts

    def twice(self, key: Any, name: str = "number") -> Faults:
        if key in self.seen:
            yield name, _("an earlier row of the file says the same thing")
        self.seen.add(key)

    def moved(self, staff_ids: Sequence[int]) -> None:
        """Tell who has to know that people began or ended to work somewhere."""
        if staff_ids:
            bus.publish(PeopleMoved(staff_ids=tuple(sorted(set(staff_ids)))), now=self.now)


# ---- Staff ---------------------------------------------------------------------------------------
@dataclass
class _Person:
    """What a row changes: the person, the place that begins, the terms."""

    staff: Staff
    is_new: bool
    fields: list[str] = field(default_factory=list)
    place: Assignment | None = None
    ended: list[Assignment] = field(default_factory=list)
    terms: Terms | None = None

    @property
    def changes(self) -> bool:
        return bool(self.fields or self.place or self.ended or self.terms)


@dataclass
class StaffIntake(PieceIntake):
    ground: Ground = field(default_factory=Ground.today)

    def begin(self, rows: Rows) -> None:
        self._staff = staff_numbered(rows)
        ids = [each.pk for each in self._staff.values()]
        self._places: dict[int, list[Assignment]] = defaultdict(list)
        for place in Assignment.objects.filter(staff__in=ids).order_by("valid_from", "pk"):
            self._places[place.staff_id].append(place)
        self._terms = {each.staff_id: each for each in Terms.objects.filter(staff__in=ids)}
        self._plans: list[_Person] = []

    def faults(self, row: Mapping[str, Any]) -> Faults:
        number = str(row.get("number", ""))
        known = self._staff.get(number)
        yield from self._person_faults(row, number, known)
        yield from self.twice(number)
        yield from self._day_faults(row, known)
        if "unit" in row or "post" in row:
            yield from self._place_faults(row, known)
        yield from self._terms_faults(row)

    def _person_faults(self, row: Mapping[str, Any], number: str, known: Staff | None) -> Faults:
        if not number:
            yield "number", _("is missing")
        if len(number) > 30:
            yield "number", _("has more than %(most)d characters") % {"most": 30}
        if len(str(row.get("name", ""))) > 150:
            yield "name", _("has more than %(most)d characters") % {"most": 150}
        if known is None:
            for name in ("name", "joined_on"):
                if not row.get(name):
                    yield name, _("is needed of somebody new")

    def _day_faults(self, row: Mapping[str, Any], known: Staff | None) -> Faults:
        for name in ("joined_on", "left_on", "since"):
            if impossible(day_of_row(row, name), self.today):
                yield name, _("cannot be meant")
        joined = day_of_row(row, "joined_on") or (known.joined_on if known else None)
        left = day_of_row(row, "left_on") or (known.left_on if known else None)
        if joined and left and left <= joined:
            yield "left_on", _("is not after the day of joining")
        if left and known and any(p.valid_from >= left for p in self._places[known.pk]):
            yield "left_on", _("works somewhere from a later day on")

    def _place_faults(self, row: Mapping[str, Any], known: Staff | None) -> Faults:
        for name in ("unit", "post"):
            if not row.get(name):
                yield name, _("is missing: a place of work has a unit and a post")
                return
        since = self._since(row, known)
        bad = list(self.ground.faults(row, since))
        yield from bad
        if bad or self._works_there(row, known):
            return
        if since is None:
            yield "since", _("is needed of who moves to another place")
        elif known and any(place.valid_from >= since for place in self._places[known.pk]):
            yield "since", _("an assignment begins that day or later")
        elif self._is_outside(row, known, since):
            yield "since", _("is before joining or after leaving")

    def _is_outside(self, row: Mapping[str, Any], known: Staff | None, since: date) -> bool:
        joined = day_of_row(row, "joined_on") or (known.joined_on if known else None)
        left = day_of_row(row, "left_on") or (known.left_on if known else None)
        return (joined is not None and since < joined) or (left is not None and since >= left)

    def _since(self, row: Mapping[str, Any], known: Staff | None) -> date | None:
        given = day_of_row(row, "since")
        if given is None and (known is None or not self._places[known.pk]):
            return day_of_row(row, "joined_on") or (known.joined_on if known else None)
        return given

    def _works_there(self, row: Mapping[str, Any], known: Staff | None) -> bool:
        """True when the file says what is known: the same place, since the same day if it says."""
        if known is None:
            return False
        unit, post = self.ground.units[row["unit"]], self.ground.posts[row["post"]]
        since = day_of_row(row, "since")
        last = known.left_on or self.today
        return any(
            place.unit_id == unit.pk
            and place.post_id == post.pk
            and since in (None, place.valid_from)
            and (place.valid_to is None or place.valid_to >= last)
            for place in self._places[known.pk]
        )

    def _terms_faults(self, row: Mapping[str, Any]) -> Faults:
        if row.get("sex", "") not in ("", *Terms.Sex.values):
            yield "sex", _("is none of %(known)s") % {"known": ", ".join(Terms.Sex.values)}
        limits = {"born_in": (1920, self.today.year - 14), "weekly_minutes": (0, 10080)}
        for name, (least, most) in limits.items():
            value = row.get(name, least)
            if not isinstance(value, int) or not least <= value <= most:
                yield (
                    name,
                    _("must be a whole number from %(least)d to %(most)d")
                    % {
                        "least": least,
                        "most": most,
                    },
                )

    def plan(self, row: Mapping[str, Any]) -> None:
        known = self._staff.get(str(row["number"]))
        staff = known or Staff(number=str(row["number"]))
        person = _Person(staff, is_new=known is None)
        given = {
            "name": meant(str(row["name"])) if row.get("name") else None,
            "joined_on": day_of_row(row, "joined_on"),
            "left_on": day_of_row(row, "left_on"),
        }
        for name, value in given.items():
            if value is not None and getattr(staff, name) != value:
                setattr(staff, name, value)
                person.fields.append(name)
        self._plan_place(person, row, known)
        self._plan_terms(person, row)
        self._plans.append(person)

    def _plan_place(self, person: _Person, row: Mapping[str, Any], known: Staff | None) -> None:
        places = self._places[known.pk] if known else []
        # A row without a day has a fault, and does not come this far.
        since = self._since(row, known)
        if row.get("unit") and since is not None and not self._works_there(row, known):
            person.place = Assignment(
                staff=person.staff,
                unit=self.ground.units[row["unit"]],
                post=self.ground.posts[row["post"]],
                valid_from=since,
                valid_to=person.staff.left_on,
            )
            person.ended += _ended(places, since)
        if "left_on" in person.fields:
            person.ended += _ended(places, person.staff.left_on)

    def _plan_terms(self, person: _Person, row: Mapping[str, Any]) -> None:
        given = {name: row[name] for name in ("sex", "born_in", "weekly_minutes") if name in row}
        terms = self._terms.get(person.staff.pk) or Terms()
        if any(getattr(terms, name) != value for name, value in given.items()):
            for name, value in given.items():
                setattr(terms, name, value)
            person.terms = terms

    def store(self, rows: Rows) -> None:
        plans, self._plans = self._plans, []
        new = [each for each in plans if each.is_new]
        Staff.objects.bulk_create(each.staff for each in new)
        changed = [each.staff for each in plans if each.fields and not each.is_new]
        Staff.objects.bulk_update(changed, ["name", "joined_on", "left_on"], batch_size=200)
        ended = [place for each in plans for place in each.ended]
        Assignment.objects.bulk_update(ended, ["valid_to"], batch_size=200)
        Assignment.objects.bulk_create(each.place for each in plans if each.place)
        for each in plans:
            if each.terms:
                each.terms.staff = each.staff
        Terms.objects.bulk_create(
            [each.terms for each in plans if each.terms],
            update_conflicts=True,
            unique_fields=["staff"],
            update_fields=["sex", "born_in", "weekly_minutes"],
        )
        self._count(plans, len(new))
        self.moved([p.staff.pk for p in plans if p.place or p.ended or "left_on" in p.fields])

    def _count(self, plans: Sequence[_Person], new: int) -> None:
        touched = sum(each.changes for each in plans if not each.is_new)
        self.counts["new"] += new
        self.counts["changed"] += touched
        self.counts["unchanged"] += len(plans) - new - touched


def _ended(places: Sequence[Assignment], on: date | None) -> list[Assignment]:
    """End on this day what runs on beyond it; the caller stores it."""
    running = [
        place
        for place in places
        if on and place.valid_from < on and (place.valid_to is None or place.valid_to > on)
    ]
    for place in running:
        place.valid_to = on
    return running


# ---- Assignments ---------------------------------------------------------------------------------
Key = tuple[int, int, int, date]


@dataclass
class AssignmentIntake(PieceIntake):
    ground: Ground = field(default_factory=Ground.today)
    planned: dict[int, list[Assignment]] = field(default_factory=lambda: defaultdict(list))
    """What earlier pieces began; a check stores nothing and has to know it all the same."""

    def begin(self, rows: Rows) -> None:
        self._staff = staff_numbered(rows)
        ids = [each.pk for each in self._staff.values()]
        self._known: dict[int, list[Assignment]] = defaultdict(list)
        for place in Assignment.objects.filter(staff__in=ids).order_by("pk"):
            self._known[place.staff_id].append(place)
        for staff_id in ids:
            stored = {_key_of(place) for place in self._known[staff_id]}
            earlier = [each for each in self.planned[staff_id] if _key_of(each) not in stored]
            self._known[staff_id] += earlier
        self._new: list[Assignment] = []
        self._changed: list[Assignment] = []
        self._same = 0

    def faults(self, row: Mapping[str, Any]) -> Faults:
        staff = self._staff.get(str(row.get("number", "")))
        if staff is None:
            yield "number", _("nobody has this staff number")
            return
        first, last = day_of_row(row, "valid_from"), day_of_row(row, "valid_to")
        missing = [name for name in ("unit", "post", "valid_from") if not row.get(name)]
        if missing or first is None:
            yield from ((name, _("is missing")) for name in missing)
            return
        bad = [*self.ground.faults(row, first), *self._day_faults(staff, first, last)]
        yield from bad
        if not bad:
            key = self._key(row, staff, first)
            yield from self.twice(key)
            yield from self._overlaps(key, last)

    def _day_faults(self, staff: Staff, first: date, last: date | None) -> Faults:
        for name, day in (("valid_from", first), ("valid_to", last)):
            if impossible(day, self.today):
                yield name, _("cannot be meant")
        if last is not None and last <= first:
            yield "valid_to", _("is not after the first day")
        if first < staff.joined_on or (staff.left_on and first >= staff.left_on):
            yield "valid_from", _("is before joining or after leaving")

    def _key(self, row: Mapping[str, Any], staff: Staff, first: date) -> Key:
        unit, post = self.ground.units[row["unit"]], self.ground.posts[row["post"]]
        return staff.pk, unit.pk, post.pk, first

    def _overlaps(self, key: Key, last: date | None) -> Faults:
        staff_id, unit_id, post_id, first = key
        for place in self._known[staff_id]:
            if (place.unit_id, place.post_id) != (unit_id, post_id) or place.valid_from == first:
                continue
            begins_before = last is None or place.valid_from < last
            if begins_before and (place.valid_to is None or place.valid_to > first):
                yield (
                    "valid_from",
                    _("works there already, from %(day)s on") % {"day": place.valid_from},
                )

    def plan(self, row: Mapping[str, Any]) -> None:
        staff = self._staff[str(row["number"])]
        first, last = date.fromisoformat(row["valid_from"]), day_of_row(row, "valid_to")
        _staff, unit_id, post_id, _first = self._key(row, staff, first)
        end = last or staff.left_on
        for place in self._known[staff.pk]:
            if (place.unit_id, place.post_id, place.valid_from) == (unit_id, post_id, first):
                if last is None or place.valid_to == last:
                    self._same += 1
                else:
                    place.valid_to = last
                    self._changed.append(place)
                return
        made = Assignment(
            staff=staff, unit_id=unit_id, post_id=post_id, valid_from=first, valid_to=end
        )
        self._known[staff.pk].append(made)
        self.planned[staff.pk].append(made)
        self._new.append(made)

    def store(self, rows: Rows) -> None:
        Assignment.objects.bulk_create(self._new)
        Assignment.objects.bulk_update(self._changed, ["valid_to"], batch_size=200)
        self.counts["new"] += len(self._new)
        self.counts["changed"] += len(self._changed)
        self.counts["unchanged"] += self._same
        self.moved([place.staff_id for place in (*self._new, *self._changed)])


def _key_of(place: Assignment) -> Key:
    return place.staff_id, place.unit_id, place.post_id, place.valid_from


# ---- Leave ---------------------------------------------------------------------------------------
@dataclass
class LeaveIntake(PieceIntake):
    def begin(self, rows: Rows) -> None:
        self._staff = staff_numbered(rows)
        ids = [each.pk for each in self._staff.values()]
        found = Leave.objects.filter(staff__in=ids)
        self._known = {(leave.staff_id, leave.valid_from): leave for leave in found}
        self._plans: list[Leave] = []

    def faults(self, row: Mapping[str, Any]) -> Faults:
        staff = self._staff.get(str(row.get("number", "")))
        if staff is None:
            yield "number", _("nobody has this staff number")
            return
        first, last = day_of_row(row, "valid_from"), day_of_row(row, "valid_to")
        for name, day in (("valid_from", first), ("valid_to", last)):
            if day is None:
                yield name, _("is missing")
            elif not EARLIEST <= day <= self.today + 4 * AHEAD:
                yield name, _("cannot be meant")
        if first and last and last <= first:
            yield "valid_to", _("is not after the first day")
        yield from self.twice((staff.pk, first))

    def plan(self, row: Mapping[str, Any]) -> None:
        staff = self._staff[str(row["number"])]
        first, last = date.fromisoformat(row["valid_from"]), date.fromisoformat(row["valid_to"])
        known = self._known.get((staff.pk, first))
        if known is not None and known.valid_to == last:
            self.counts["unchanged"] += 1
            return
        self.counts["changed" if known else "new"] += 1
        self._plans.append(Leave(staff=staff, valid_from=first, valid_to=last))

    def store(self, rows: Rows) -> None:
        Leave.objects.bulk_create(
            self._plans,
            update_conflicts=True,
            unique_fields=["staff", "valid_from"],
            update_fields=["valid_to"],
        )


# ---- The kinds -----------------------------------------------------------------------------------
class _PeopleRows:
    permission = Permission.MANAGE_PEOPLE
    intake: Callable[[datetime], Intake]

    def open(self, *, by: Principal, now: datetime) -> Intake:
        require_everywhere(by, self.permission)
        return type(self).intake(now)

    def codes(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        return {
            "unit": codes_of(Unit.objects.values_list("code", "name")),
            "post": codes_of(Post.objects.values_list("code", "name")),
            "sex": {"f": ["female", "woman", "女"], "m": ["male", "man", "男"], "x": ["other"]},
        }


class StaffRows(_PeopleRows):
    """One row a person; with a unit and a post also where they work now."""

    key = "staff"
    fields: Sequence[RowField] = STAFF_FIELDS
    intake = StaffIntake

    @property
    def title(self) -> str:
        return _("Files of staff")


class AssignmentRows(_PeopleRows):
    """One row an assignment, past ones too."""

    key = "assignments"
    fields: Sequence[RowField] = ASSIGNMENT_FIELDS
    intake = AssignmentIntake

    @property
    def title(self) -> str:
        return _("Files of assignments")


class LeaveRows(_PeopleRows):
    """One row a leave."""

    key = "leave"
    fields: Sequence[RowField] = LEAVE_FIELDS
    intake = LeaveIntake

    @property
    def title(self) -> str:
        return _("Files of leave")
