"""The page of a person: what customers say of them, how that was found, and who looked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.errors import NotFound
from sqcore.base.text import in_language, number
from sqcore.dashboards.figures import Point
from sqcore.identity.principals import Principal
from sqcore.org.models import Assignment, Staff, during
from sqcore.org.queries import local_day, organisation
from sqcore.performance.drawing import PersonPicture, person_picture
from sqcore.performance.measures import measures_of
from sqcore.performance.models import Dispute, FrozenReliability, Look, ResultsPolicy, StaffResult
from sqcore.performance.own_pages import own_staff_id
from sqcore.performance.queries import JUDGED, frozen_by_measure
from sqcore.performance.sources import PersonMeasure
from sqcore.performance.wording import (
    DECIMALS,
    Said,
    Step,
    group_text,
    interval_text,
    mark_of,
    outlook_of,
    short_held,
    steps_of,
    use_text,
    verdict_of,
    window_text,
)

Verdict = StaffResult.Verdict
LOOKS_PER_PAGE = 20


@dataclass(frozen=True)
class WindowLine:
    """One window of the history."""

    title: str
    said: Said
    why: str
    estimate: str
    between: str
    n: str


@dataclass(frozen=True)
class ResultCard:
    """What customers say about a person by one measure, and how that was found."""

    key: str
    name: str
    questions: Sequence[str]
    result: StaffResult
    said: Said
    use: str
    group: str
    counted: str
    steps: list[Step]
    outlook: list[str]
    picture: PersonPicture | None
    estimate: str
    between: str
    disputed: str
    history: list[WindowLine]
    trend: list[Point]
    answers_url: str


@dataclass(frozen=True)
class PersonPage:
    staff: Staff
    is_mine: bool
    place: str
    window: str
    cards: list[ResultCard]
    looks: Page[Look] | None
    disputes: int
    policy: ResultsPolicy | None

    @property
    def first(self) -> ResultCard | None:
        return self.cards[0] if self.cards else None


def person_page(
    *, principal: Principal, staff_number: str, looks: str = "", now: datetime
) -> PersonPage:
    """Return the page of a person, by staff number; without one that of who asks.

    looks: which page of those who looked, the newest on the first

    raises: NotFound for who is not there, or not theirs to see
    """
    today = local_day(now)
    staff = _person(principal, staff_number, today)
    is_mine = staff.pk == principal.staff_id
    rows = list(
        StaffResult.objects.visible_to(principal, on=today)
        .current()
        .filter(staff=staff)
        .select_related("run__policy", "unit", "post")
        .order_by("run__ends_on", "measure")
    )
    newest = rows[-1].run if rows else None
    return PersonPage(
        staff=staff,
        is_mine=is_mine,
        place=_place(staff, today),
        window=window_text(rows[-1]) if rows else "",
        cards=_cards(rows, is_mine),
        looks=_looks(principal, looks) if is_mine else None,
        disputes=getattr(staff, "open_disputes", 0) if is_mine else 0,
        policy=newest.policy if newest else None,
    )


def _person(principal: Principal, staff_number: str, on: date) -> Staff:
    waiting = Count("disputes", filter=Q(disputes__state=Dispute.State.OPEN))
    people = Staff.objects.annotate(open_disputes=waiting)
    if staff_number:
        found = people.visible_to(principal, on=on).filter(number=staff_number).first()
    else:
        found = people.filter(pk=own_staff_id(principal)).first()
    if found is None:
        raise NotFound(_("There is no such person, or you may not see their results."))
    return found


def _place(staff: Staff, on: date) -> str:
    here = Assignment.objects.filter(during(on), staff=staff).select_related("unit", "post")
    return _("; ").join(f"{each.post}, {each.unit}" for each in here.order_by("pk"))


def _looks(principal: Principal, page: str) -> Page[Look]:
    rows = Look.objects.visible_to(principal).order_by("-last_at", "-pk")
    return Paginator(rows, LOOKS_PER_PAGE).get_page(page)


def _cards(rows: Sequence[StaffResult], is_mine: bool) -> list[ResultCard]:
    """One card a measure of the newest window, that of all questions together first."""
    if not rows:
        return []
    last = rows[-1].run_id
    frozen, smallest = frozen_by_measure(rows[-1].run.ends_on), organisation().smallest_group
    history: dict[str, list[StaffResult]] = {}
    for row in rows:
        history.setdefault(row.measure, []).append(row)
    shown = {row.measure: row for row in rows if row.run_id == last}
    return [
        _card(measure, history[measure.key], frozen.get(measure.key), smallest, is_mine)
        for measure in measures_of(shown)
    ]


def _card(
    measure: PersonMeasure,
    history: Sequence[StaffResult],
    frozen: FrozenReliability | None,
    smallest: int,
    is_mine: bool,
) -> ResultCard:
    result = history[-1]
    return ResultCard(
        key=measure.key.replace("/", "-"),
        name=in_language(measure.name),
        questions=[in_language(question) for question in measure.questions],
        result=result,
        said=verdict_of(result, frozen),
        use=use_text(result.gate) if result.verdict in JUDGED else "",
        group=group_text(result),
        counted=_counted(result.n, smallest),
        steps=steps_of(result, measure),
        outlook=outlook_of(result, frozen, smallest),
        picture=None if result.verdict == Verdict.HELD else person_picture(result),
        estimate=_estimate(result),
        between=interval_text(result),
        disputed=_disputed(result.disputed),
        history=[_window(row, smallest) for row in reversed(history)],
        trend=_trend(history),
        answers_url=reverse("sqcore:performance-answers", args=[measure.key]) if is_mine else "",
    )


def _counted(n: int, smallest: int) -> str:
    if n < smallest:
        return _("fewer than %(k)s answers") % {"k": smallest}
    return ngettext("%(n)s answer", "%(n)s answers", n) % {"n": number(n, 0)}


def _disputed(count: int) -> str:
    if not count:
        return ""
    return ngettext(
        "%(n)s encounter is disputed: until that is decided it can neither lower the verdict nor "
        "raise what the result may be used for. The figures stay, so that they do not tell what "
        "was answered.",
        "%(n)s encounters are disputed: until that is decided they can neither lower the verdict "
        "nor raise what the result may be used for. The figures stay, so that they do not tell "
        "what was answered.",
        count,
    ) % {"n": count}


def _window(row: StaffResult, smallest: int) -> WindowLine:
    return WindowLine(
        title=window_text(row),
        said=mark_of(row.verdict),
        why=short_held(row),
        estimate=_estimate(row),
        between=interval_text(row),
        n=_counted(row.n, smallest),
    )


def _estimate(row: StaffResult) -> str:
    """Return the result, unless it would say which verdict is held back."""
    if row.estimate is None or row.verdict == Verdict.HELD:
        return ""
    return number(row.estimate, DECIMALS)


def _trend(history: Sequence[StaffResult]) -> list[Point]:
    """Return the windows for the picture, which has a gap where a verdict is held back."""
    return [
        Point(label=window_text(row), value=None)
        if row.verdict == Verdict.HELD
        else Point(label=window_text(row), value=row.estimate, low=row.low, high=row.high, n=row.n)
        for row in history
    ]
