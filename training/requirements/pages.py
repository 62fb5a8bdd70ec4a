"""What the pages of requirements show: the matrix, its lists, and what they can be filtered by."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _

from sqcore.base.api import Keyset, next_link, page_request
from sqcore.base.text import day
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Post, Staff, Unit
from training.courses.models import Course
from training.requirements.models import Obligation
from training.requirements.queries import (
    SOON,
    STATES,
    Asked,
    obligations_of,
    people_asked,
    required_courses,
    rows_asked,
)

BY_NUMBER = Keyset(("number",))
BY_DUE = Keyset(("due_on", "id"))
BY_END = Keyset(("holds_until", "id"))
PER_PAGE = 50
DUE_SOON = timedelta(days=30)

Options = list[tuple[str, str]]


# ---- What is asked for ---------------------------------------------------------------------------
@dataclass(frozen=True)
class Offers:
    """What can be chosen: the places, posts and courses by their codes."""

    units: Mapping[str, Unit]
    posts: Mapping[str, Post]
    courses: Mapping[str, Course]

    def unit_options(self) -> Options:
        return [("", _("All units")), *((code, str(each)) for code, each in self.units.items())]

    def post_options(self) -> Options:
        return [("", _("All posts")), *((code, str(each)) for code, each in self.posts.items())]

    def course_options(self) -> Options:
        every = [(code, str(each)) for code, each in self.courses.items()]
        return [("", _("All courses")), *every]

    def state_options(self) -> Options:
        return [("", _("In any state")), *((state, state_title(state)) for state in STATES)]

    def unit_named(self, pk: int) -> str:
        return self._unit_names.get(pk, "–")

    def post_named(self, pk: int) -> str:
        return self._post_names.get(pk, "–")

    @cached_property
    def _unit_names(self) -> dict[int, str]:
        return {unit.pk: str(unit) for unit in self.units.values()}

    @cached_property
    def _post_names(self) -> dict[int, str]:
        return {post.pk: str(post) for post in self.posts.values()}


def state_title(state: str) -> str:
    return {
        "overdue": _("Overdue"),
        "open": _("To do"),
        "expiring": _("Ends soon"),
        "met": _("Met"),
        "waived": _("Waived"),
    }[state]


def offers_for(principal: Principal, *, on: date) -> Offers:
    """Three queries."""
    units = Unit.objects.visible_to(principal, Permission.VIEW_TRAINING).order_by("code")
    return Offers(
        units={unit.code: unit for unit in units},
        posts={post.code: post for post in Post.objects.order_by("code")},
        courses={course.code: course for course in required_courses(on)},
    )


def asked_of(params: QueryDict, offers: Offers, *, state: str = "") -> Asked:
    """Return what an address asks for; what there is not, or is not theirs, is not asked for."""
    within = params.get("within", "")
    chosen = state or params.get("state", "")
    return Asked(
        unit=offers.units.get(params.get("unit", "")),
        post=offers.posts.get(params.get("post", "")),
        course=offers.courses.get(params.get("course", "")),
        state=chosen if chosen in STATES else "",
        text=params.get("text", "").strip()[:100],
        within=int(within) if within in ("30", "60", "90") else SOON,
    )


def query_of(asked: Asked) -> str:
    """Return the address's query that asks for the same."""
    parts = {
        "unit": asked.unit.code if asked.unit else "",
        "post": asked.post.code if asked.post else "",
        "course": asked.course.code if asked.course else "",
        "state": asked.state,
        "text": asked.text,
        "within": str(asked.within) if asked.within != SOON else "",
    }
    return urlencode({name: value for name, value in parts.items() if value})


# ---- The matrix ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Mark:
    """How somebody stands with a course, in words and with a tone."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Person:
    staff: Staff
    unit: str
    post: str
    cells: list[Mark | None]


@dataclass(frozen=True)
class Matrix:
    courses: Sequence[Course]
    people: list[Person] = field(default_factory=list)
    next_url: str = ""
    is_first: bool = True


def matrix_of(
    request: HttpRequest, principal: Principal, asked: Asked, offers: Offers, *, on: date
) -> Matrix:
    """Return one page of people and what they owe. Three queries, with a unit four."""
    courses = [asked.course] if asked.course else list(offers.courses.values())
    page = page_request(request, BY_NUMBER)
    found = people_asked(principal, asked, on=on)
    if page.after is not None:
        found = BY_NUMBER.after(found, page.after)
    staff = list(found.only("number", "name")[: PER_PAGE + 1])
    shown = staff[:PER_PAGE]
    owed = obligations_of(principal, [person.pk for person in shown], on=on)
    more = len(staff) > PER_PAGE
    return Matrix(
        courses=courses,
        people=[_person(person, owed.get(person.pk, {}), courses, offers, on) for person in shown],
        next_url=next_link(request, BY_NUMBER, [shown[-1].number]) if more else "",
        is_first=page.after is None,
    )


def _person(
    staff: Staff,
    owed: Mapping[int, Obligation],
    courses: Sequence[Course],
    offers: Offers,
    on: date,
) -> Person:
    first = next(iter(owed.values()), None)
    cells = [mark_of(owed[course.pk], on) if course.pk in owed else None for course in courses]
    return Person(
        staff=staff,
        unit=offers.unit_named(first.unit_id) if first else "–",
        post=offers.post_named(first.post_id) if first else "–",
        cells=cells,
    )


def mark_of(owed: Obligation, on: date) -> Mark:
    """Say how somebody stands with a course on a day."""
    end = owed.holds_until
    if owed.state == Obligation.State.OPEN:
        if owed.due_on < on:
            return Mark(_("Overdue since %(day)s") % {"day": short(owed.due_on)}, "bad")
        tone = "watch" if owed.due_on <= on + DUE_SOON else ""
        return Mark(_("Due %(day)s") % {"day": short(owed.due_on)}, tone)
    if owed.state == Obligation.State.WAIVED:
        until = _("Waived until %(day)s") % {"day": short(end)} if end else _("Waived")
        return Mark(until, "accent")
    if end is None:
        return Mark(_("Met"), "good")
    tone = "watch" if end <= on + timedelta(days=SOON) else "good"
    return Mark(_("Until %(day)s") % {"day": short(end)}, tone)


def short(on: date | None) -> str:
    return day(on) if on else ""


# ---- Lists ---------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Line:
    owed: Obligation
    unit: str
    post: str
    mark: Mark


@dataclass(frozen=True)
class Lines:
    lines: list[Line]
    next_url: str = ""
    is_first: bool = True


def lines_of(
    request: HttpRequest, principal: Principal, asked: Asked, offers: Offers, *, on: date
) -> Lines:
    """Return one page of what is asked for, the first day at the front."""
    order = BY_END if asked.state == "expiring" else BY_DUE
    page = page_request(request, order)
    found = rows_asked(principal, asked, on=on)
    if page.after is not None:
        found = order.after(found, page.after)
    rows = list(found.order_by(*order.fields)[: PER_PAGE + 1])
    shown = rows[:PER_PAGE]
    key = [getattr(shown[-1], name) for name in order.fields] if len(rows) > PER_PAGE else []
    return Lines(
        lines=[
            Line(
                each,
                offers.unit_named(each.unit_id),
                offers.post_named(each.post_id),
                mark_of(each, on),
            )
            for each in shown
        ],
        next_url=next_link(request, order, key) if key else "",
        is_first=page.after is None,
    )


# ---- As a file -----------------------------------------------------------------------------------
COLUMNS = ("number", "name", "unit", "post", "course", "state", "since", "due", "holds_until")


def table_of(principal: Principal, asked: Asked, *, on: date) -> Iterator[tuple[Any, ...]]:
    """Yield what is asked for, all of it, as rows of `COLUMNS`."""
    units = dict(Unit.objects.order_by("pk").values_list("pk", "code"))
    posts = dict(Post.objects.order_by("pk").values_list("pk", "code"))
    rows = rows_asked(principal, asked, on=on).order_by("staff__number", "course__code")
    for number, name, unit_id, post_id, course, state, since, due, until in rows.values_list(
        "staff__number", "staff__name", "unit_id", "post_id", "course__code", "state",
        "since_on", "due_on", "holds_until",
    ).iterator(chunk_size=2000):  # fmt: skip
        late = state == Obligation.State.OPEN and due < on
        said = "overdue" if late else state
        yield number, name, units.get(unit_id), posts.get(post_id), course, said, since, due, until
