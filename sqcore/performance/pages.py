"""What the pages of results of people show, put together from results, disputes and looks."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext, pgettext_lazy

from sqcore.base.errors import NotFound
from sqcore.base.text import in_language, number, signed
from sqcore.dashboards.figures import Figure, Point
from sqcore.encounters.models import Encounter
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.models import Indicator
from sqcore.org.models import Assignment, Staff, during
from sqcore.org.queries import local_day, organisation
from sqcore.performance.drawing import (
    MOST_POINTS,
    FunnelPoint,
    PersonPicture,
    funnel_figure,
    person_picture,
)
from sqcore.performance.forms import AskedPeople
from sqcore.performance.models import (
    Dispute,
    FrozenReliability,
    Look,
    ResultsPolicy,
    ResultsRun,
    StaffResult,
)
from sqcore.performance.queries import (
    OwnAnswers,
    OwnEncounter,
    RunFigures,
    current_run,
    measure_named,
    own_answers_in_batches,
    own_encounters,
    policy_on,
    run_figures,
)
from sqcore.performance.sources import PERSON_SOURCES, PersonMeasure
from sqcore.performance.wording import (
    DECIMALS,
    Said,
    Step,
    answers_text,
    between_text,
    group_text,
    mark_of,
    outlook_of,
    short_held,
    short_use,
    span_text,
    steps_of,
    use_text,
    verdict_of,
    window_text,
)
from sqcore.stats.errors import StatisticsError
from sqcore.stats.people import expected_flags, overdispersion

Verdict = StaffResult.Verdict
PER_PAGE = 50
LOOKS_PER_PAGE = 20
JUDGED = (Verdict.LOW, Verdict.ABOVE, Verdict.ALIKE)
STATES: dict[str, str | Promise] = {
    Dispute.State.OPEN.value: lazy("Open"),
    Dispute.State.UPHELD.value: lazy("Upheld"),
    Dispute.State.REJECTED.value: pgettext_lazy("state of a dispute", "Rejected"),
    Dispute.State.WITHDRAWN.value: pgettext_lazy("state of a dispute", "Withdrawn"),
    Dispute.State.REVERSED.value: lazy("Reversed"),
}
"""The states of disputes, short enough for tabs."""


def frozen_by_measure(on: date) -> dict[str, FrozenReliability]:
    """Return, by measure, the reliability that was frozen last up to the year of this day."""
    rows = FrozenReliability.objects.filter(year__lte=on.year).order_by("year")
    return {row.measure: row for row in rows}


def measures_of(keys: Iterable[str]) -> list[PersonMeasure]:
    """Return these measures, that of all questions together first; the sources are asked once."""
    known = {measure.key: measure for source in PERSON_SOURCES for measure in source.measures()}
    found = [known.get(key) or measure_named(key) for key in set(keys)]
    return sorted(found, key=lambda each: (not each.is_overall, each.key))


# A person ----------------------------------------------------------------------------------------


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
        found = people.filter(pk=_myself(principal)).first()
    if found is None:
        raise NotFound(_("There is no such person, or you may not see their results."))
    return found


def _place(staff: Staff, on: date) -> str:
    here = Assignment.objects.filter(during(on), staff=staff).select_related("unit", "post")
    return _("; ").join(f"{each.post}, {each.unit}" for each in here.order_by("pk"))


def _looks(principal: Principal, page: str) -> Page[Look]:
    rows = Look.objects.visible_to(principal).order_by("-last_at", "-pk")
    return Paginator(rows, LOOKS_PER_PAGE).get_page(page)


def _my_disputes(principal: Principal) -> QuerySet[Dispute]:
    return Dispute.objects.visible_to(principal).filter(staff_id=_myself(principal))


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
        between=_between(result),
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
        "%(n)s disputed encounter is left out until it is decided.",
        "%(n)s disputed encounters are left out until they are decided.",
        count,
    ) % {"n": count}


def _window(row: StaffResult, smallest: int) -> WindowLine:
    return WindowLine(
        title=window_text(row),
        said=mark_of(row.verdict),
        why=short_held(row),
        estimate=_estimate(row),
        between=_between(row),
        n=_counted(row.n, smallest),
    )


def _estimate(row: StaffResult) -> str:
    """Return the result, unless it would say which verdict is held back."""
    if row.estimate is None or row.verdict == Verdict.HELD:
        return ""
    return number(row.estimate, DECIMALS)


def _between(row: StaffResult) -> str:
    return "" if row.verdict == Verdict.HELD else between_text(row.low, row.high)


def _trend(history: Sequence[StaffResult]) -> list[Point]:
    """Return the windows for the picture, which has a gap where a verdict is held back."""
    return [
        Point(label=window_text(row), value=None)
        if row.verdict == Verdict.HELD
        else Point(label=window_text(row), value=row.estimate, low=row.low, high=row.high, n=row.n)
        for row in history
    ]


# People ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PersonLine:
    """One person of the list."""

    result: StaffResult
    url: str
    said: Said
    use: str
    counted: str
    between: str
    centre: str


@dataclass(frozen=True)
class PeoplePage:
    """Results of the people that one may see, by one measure; never by how high they are.

    `counts` is of who is listed on this page alone; `staff_ids` are those of whom it tells.
    """

    asked: AskedPeople
    measure: str
    window: str
    measures: list[tuple[str, str]]
    units: list[tuple[str, str]]
    posts: list[tuple[str, str]]
    verdicts: list[tuple[str, str]]
    expected: str
    counts: list[tuple[Said, int]]
    page: Page[StaffResult] | None
    lines: list[PersonLine]
    staff_ids: list[int]
    figure: Figure | None
    no_figure: str
    scatter: str

    @property
    def is_chosen(self) -> bool:
        """Whether some people are left out."""
        return bool(self.asked.unit or self.asked.post or self.asked.name or self.asked.verdict)


def people_page(
    *, principal: Principal, asked: AskedPeople, page: str, now: datetime
) -> PeoplePage | None:
    """Return the list of people; None where there are no results yet.

    raises: NotPermitted
    """
    principal.require(Permission.VIEW_PEOPLE_RESULTS)
    run = current_run()
    if run is None:
        return None
    spreads = _spreads(run)
    measures = measures_of(spreads)
    if not measures:
        return None
    measure = next((each for each in measures if each.key == asked.measure), measures[0])
    seen = StaffResult.objects.visible_to(principal, on=local_day(now))
    of_measure = seen.filter(run=run, measure=measure.key)
    chosen = _chosen(of_measure, asked)
    sizes, smallest = _sizes(chosen), organisation().smallest_group
    everybody = _everybody(chosen, sizes, asked)
    shown = _page_of(everybody, chosen, sizes, asked, page)
    figure, no_figure, scatter = _funnel(everybody, spreads[measure.key], smallest)
    units, posts = _places(of_measure)
    return PeoplePage(
        asked=asked,
        measure=measure.key,
        window=_run_window(run),
        measures=[(each.key, in_language(each.name)) for each in measures],
        units=[("", _("All")), *units],
        posts=[("", _("All")), *posts],
        verdicts=[("", _("All")), *((key, mark_of(key).title) for key in Verdict.values)],
        expected=_expected(sizes, spreads[measure.key], run.policy),
        counts=_counts(shown),
        page=shown,
        lines=[_line(row, smallest) for row in shown],
        staff_ids=_told(everybody, shown, smallest),
        figure=figure,
        no_figure=no_figure,
        scatter=scatter,
    )


Sizes = Mapping[tuple[int, str], int]
"""How many people have so many answers and this verdict."""


@dataclass(frozen=True)
class Spread:
    """The variances of answers by a measure: within people and between them."""

    within: float
    between: float


def _spreads(run: ResultsRun) -> dict[str, Spread | None]:
    """Return what a run found, by measure; none where nothing could be told."""
    found: Mapping[str, Mapping[str, Any]] = run.frozen.get("measures", {})
    return {
        key: Spread(row["within"], row["between"]) if row["within"] else None
        for key, row in found.items()
    }


def _sizes(rows: QuerySet[StaffResult]) -> Sizes:
    found = rows.order_by().values_list("n", "verdict").annotate(people=Count("pk"))
    return {(n, verdict): people for n, verdict, people in found}


def _everybody(
    chosen: QuerySet[StaffResult], sizes: Sizes, asked: AskedPeople
) -> list[StaffResult] | None:
    """All these people in their order, if they are few enough for a picture."""
    return list(_ordered(chosen, asked)) if sum(sizes.values()) <= MOST_POINTS else None


def _page_of(
    everybody: Sequence[StaffResult] | None,
    chosen: QuerySet[StaffResult],
    sizes: Sizes,
    asked: AskedPeople,
    page: str,
) -> Page[StaffResult]:
    if everybody is not None:
        rows = [row for row in everybody if asked.verdict in ("", row.verdict)]
        return Paginator(rows, PER_PAGE).get_page(page)
    of_verdict = chosen.filter(verdict=asked.verdict) if asked.verdict else chosen
    paginator = Paginator(_ordered(of_verdict, asked), PER_PAGE)
    # They are counted already; counting a hundred thousand again takes its time.
    paginator.count = sum(
        people for (_n, verdict), people in sizes.items() if asked.verdict in ("", verdict)
    )
    return paginator.get_page(page)


def _months_before(day: date, months: int) -> date:
    years, month = divmod(12 * day.year + day.month - 1 - months, 12)
    return date(years, month + 1, 1)


def _places(rows: QuerySet[StaffResult]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The codes and names of the units and of the posts of these rows, by name."""
    names = ("unit__code", "unit__name", "post__code", "post__name")
    units: dict[str, str] = {}
    posts: dict[str, str] = {}
    for unit, unit_name, post, post_name in rows.order_by().values_list(*names).distinct():
        units[unit], posts[post] = in_language(unit_name), in_language(post_name)
    return _by_name(units), _by_name(posts)


def _by_name(names: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted(names.items(), key=lambda each: (each[1], each[0]))


def _chosen(rows: QuerySet[StaffResult], asked: AskedPeople) -> QuerySet[StaffResult]:
    wanted = Q()
    if asked.unit:
        wanted &= Q(unit__code=asked.unit)
    if asked.post:
        wanted &= Q(post__code=asked.post)
    if asked.name:
        wanted &= Q(staff__name__icontains=asked.name) | Q(staff__number=asked.name)
    return rows.filter(wanted)


def _ordered(rows: QuerySet[StaffResult], asked: AskedPeople) -> QuerySet[StaffResult]:
    """By unit or by name: an order by results would be a ranking that chance has made."""
    by_name = ("staff__name", "staff__number")
    order = by_name if asked.by == "name" else ("unit__code", *by_name)
    return rows.select_related("staff", "unit", "post", "run__policy").order_by(*order)


def _line(row: StaffResult, smallest: int) -> PersonLine:
    return PersonLine(
        result=row,
        url=reverse("sqcore:performance-person", args=[row.staff.number]),
        said=mark_of(row.verdict),
        use=short_use(row.gate) if row.verdict in JUDGED else "",
        counted=number(row.n, 0) if row.n >= smallest else _("under %(k)s") % {"k": smallest},
        between=_between(row),
        centre="" if row.centre is None else number(row.centre, DECIMALS),
    )


def _told(
    everybody: Sequence[StaffResult] | None, shown: Iterable[StaffResult], smallest: int
) -> list[int]:
    """Return of whom the list tells: who is on it, and of a few also who has not that verdict."""
    is_few = everybody is not None and len(everybody) < smallest
    return [row.staff_id for row in (everybody if everybody and is_few else shown)]


def _counts(shown: Iterable[StaffResult]) -> list[tuple[Said, int]]:
    """Count who is listed: of others one would learn a verdict without their being told."""
    found = Counter(row.verdict for row in shown)
    return [(mark_of(verdict), found[verdict]) for verdict in Verdict.values if found[verdict]]


def _expected(sizes: Sizes, spread: Spread | None, policy: ResultsPolicy) -> str:
    """Say how many of these people the rules let expect to be called low wrongly."""
    judged = {key: people for key, people in sizes.items() if key[1] in JUDGED and key[0] > 0}
    if not judged or spread is None:
        return ""
    answers = [n for (n, _verdict), people in judged.items() for _each in range(people)]
    try:
        wrong = expected_flags(
            answers, spread.within, spread.between, policy.smallest_difference, policy.certainty
        ).wrong
    except StatisticsError:
        return ""
    low = sum(people for (_n, verdict), people in judged.items() if verdict == Verdict.LOW)
    said = ngettext(
        "Of %(n)s person with a verdict, %(low)s is called below comparable colleagues.",
        "Of %(n)s people with a verdict, %(low)s are called below comparable colleagues.",
        len(answers),
    )
    chance = _("By chance alone %(wrong)s of them would be called so.")
    high = sum(people for (_n, verdict), people in judged.items() if verdict == Verdict.ABOVE)
    # The rule for above is that for low turned round, so chance is as often wrong by it.
    above = _("%(high)s are called above them, by chance alone %(wrong)s.")
    values = {
        "n": number(len(answers), 0),
        "low": number(low, 0),
        "high": number(high, 0),
        "wrong": _rarely(wrong),
    }
    return f"{said} {chance} {above}" % values


def _rarely(count: float) -> str:
    if count < 0.01:
        return _("fewer than %(n)s") % {"n": number(0.01, 2)}
    return number(count, 2 if count < 1 else 1)


def _funnel(
    everybody: Sequence[StaffResult] | None, spread: Spread | None, smallest: int
) -> tuple[Figure | None, str, str]:
    """Return the picture of all these people, or why there is none; and how widely they scatter."""
    if everybody is None:
        why = _("Choose a unit or a post to see the picture: it shows at most %(n)s.")
        return None, why % {"n": number(MOST_POINTS, 0)}, ""
    points = [
        FunnelPoint(row.n, row.adjusted - row.centre, row.verdict)
        for row in everybody
        if row.adjusted is not None and row.centre is not None and row.verdict != Verdict.HELD
    ]
    if spread is None or len(points) < smallest:
        why = _("Of fewer than %(k)s people with figures there is no picture.")
        return None, why % {"k": smallest}, ""
    return funnel_figure(points, spread.within), "", _scatter(points, spread.within)


def _scatter(points: Sequence[FunnelPoint], within: float) -> str:
    """Say how many marks lie outside the limits, how many chance alone puts there, and how many are
    left where it is taken in that people differ."""
    errors = np.sqrt(within / np.array([point.n for point in points], dtype=np.float64))
    z = np.array([point.distance for point in points]) / errors
    spread = overdispersion(z, errors)
    edge = NormalDist().inv_cdf(0.975)
    said = _(
        "%(outside)s of %(n)s marks lie outside the inner lines; chance alone puts about "
        "%(chance)s there. The marks scatter %(times)s times as widely as by chance alone, "
        "because people and what befalls them differ. With that taken in, %(left)s are outside."
    )
    return said % {
        "outside": number(int((abs(z) > edge).sum()), 0),
        "n": number(len(points), 0),
        "chance": number(0.05 * len(points), 1),
        "times": number(sqrt(spread.phi), 1),
        "left": number(int((abs(spread.z) > edge).sum()), 0),
    }


# Own answers, encounters and disputes ------------------------------------------------------------


@dataclass(frozen=True)
class AnswersPage:
    """What customers answered about who asks, in batches."""

    name: str
    questions: Sequence[str]
    lowest: str
    highest: str
    answers: OwnAnswers
    batch: int
    delay: int


def answers_page(*, principal: Principal, measure: str, now: datetime) -> AnswersPage:
    """Return own answers by one measure. raises: NotFound where there is no result by it"""
    staff_id, today = _myself(principal), local_day(now)
    own = StaffResult.objects.visible_to(principal, on=today).filter(staff_id=staff_id)
    if not own.current().filter(measure=measure).exists():
        raise NotFound(_("There is no result of yours by this."))
    named, rules = measure_named(measure), policy_on(today) or ResultsPolicy()
    return AnswersPage(
        name=in_language(named.name),
        questions=[in_language(question) for question in named.questions],
        lowest=number(named.lowest, 0),
        highest=number(named.highest, 0),
        answers=own_answers_in_batches(staff_id, measure, now=now),
        batch=rules.batch,
        delay=rules.delay_days,
    )


@dataclass(frozen=True)
class EncountersPage:
    """Own encounters, without what anybody answered, and own disputes."""

    encounters: Sequence[OwnEncounter]
    more: str
    disputes: Sequence[Dispute]
    days: int


def encounters_page(*, principal: Principal, before: int | None, now: datetime) -> EncountersPage:
    """Return own encounters, the newest first, from `before` on. raises: NotFound"""
    staff_id = _myself(principal)
    found = own_encounters(staff_id, before=before, limit=PER_PAGE + 1)
    shown = found[:PER_PAGE]
    return EncountersPage(
        encounters=shown,
        more=str(shown[-1].id) if len(found) > PER_PAGE else "",
        disputes=list(_my_disputes(principal).select_related("unit").order_by("-raised_at", "-pk")),
        days=_dispute_days(local_day(now)),
    )


@dataclass(frozen=True)
class DisputeForm:
    """The encounter that a person is about to dispute."""

    encounter: Encounter
    days: int
    known: Dispute | None


def to_dispute(*, principal: Principal, key: str, now: datetime) -> DisputeForm:
    """Return an own encounter that can be disputed. raises: NotFound"""
    staff_id = _myself(principal)
    rows = Encounter.objects.filter(staff_id=staff_id, key=key)
    found = rows.select_related("unit", "channel", "service").first()
    if found is None:
        raise NotFound(_("You have no such encounter."))
    known = _my_disputes(principal).filter(encounter_key=key).first()
    return DisputeForm(found, _dispute_days(local_day(now)), known)


def _myself(principal: Principal) -> int:
    if principal.staff_id is None:
        raise NotFound(_("You are not known as a member of staff, so there are no results of you."))
    return principal.staff_id


def _dispute_days(on: date) -> int:
    return (policy_on(on) or ResultsPolicy()).dispute_days


# Deciding disputes -------------------------------------------------------------------------------


@dataclass(frozen=True)
class DisputeLine:
    dispute: Dispute
    due: str
    tone: str


@dataclass(frozen=True)
class DisputesPage:
    state: str
    states: list[tuple[str, str]]
    page: Page[Dispute]
    lines: list[DisputeLine]
    decided: str


def is_staff_member(principal: Principal) -> bool:
    """True for who is known as somebody who works here."""
    return principal.staff_id is not None


def waiting_disputes(principal: Principal) -> list[QuerySet[Dispute]]:
    """Return the disputes that wait for who decides them."""
    return [open_disputes(principal)] if principal.may(Permission.DECIDE_DISPUTES) else []


def open_disputes(principal: Principal) -> QuerySet[Dispute]:
    """Return the open disputes of others, the most urgent first."""
    rows = Dispute.objects.visible_to(principal).filter(state=Dispute.State.OPEN)
    if principal.staff_id is not None:
        rows = rows.exclude(staff_id=principal.staff_id)
    return rows.select_related("staff", "unit").order_by("due_on", "pk")


def disputes_page(*, principal: Principal, state: str, page: str, now: datetime) -> DisputesPage:
    """Return the disputes for who decides them. raises: NotPermitted"""
    principal.require(Permission.DECIDE_DISPUTES)
    state = state if state in Dispute.State.values else Dispute.State.OPEN.value
    rows = Dispute.objects.visible_to(principal).filter(state=state)
    order = ("due_on", "pk") if state == Dispute.State.OPEN else ("-decided_at", "-raised_at", "pk")
    rows = rows.select_related("staff", "unit", "decided_by").order_by(*order)
    shown = Paginator(rows, PER_PAGE).get_page(page)
    return DisputesPage(
        state=state,
        states=[(value, str(title)) for value, title in STATES.items()],
        page=shown,
        lines=[dispute_line(each, local_day(now)) for each in shown],
        decided=_outcomes(principal),
    )


def dispute_line(dispute: Dispute, today: date) -> DisputeLine:
    """Return a dispute with its deadline in words."""
    if dispute.state != Dispute.State.OPEN:
        return DisputeLine(dispute, "", "")
    left = (dispute.due_on - today).days
    if left < 0:
        late = ngettext("%(n)s day late", "%(n)s days late", -left) % {"n": -left}
        return DisputeLine(dispute, late, "bad")
    said = ngettext("%(n)s day left", "%(n)s days left", left) % {"n": left}
    return DisputeLine(dispute, said, "watch" if left <= 3 else "")


def _outcomes(principal: Principal) -> str:
    """How many were upheld: where none ever is, deciding is a rubber stamp."""
    states = Dispute.State
    found = Counter(
        Dispute.objects.visible_to(principal)
        .filter(state__in=(states.UPHELD, states.REJECTED))
        .values_list("state", flat=True)
    )
    every = sum(found.values())
    if not every:
        return ""
    return _("%(upheld)s of %(every)s decided disputes were upheld.") % {
        "upheld": number(found[states.UPHELD], 0),
        "every": number(every, 0),
    }


@dataclass(frozen=True)
class DisputePage:
    """One dispute for who decides it, without anything of what the customer answered."""

    line: DisputeLine
    encounter: Encounter | None
    outage: Any
    is_own: bool

    @property
    def dispute(self) -> Dispute:
        return self.line.dispute

    @property
    def is_open(self) -> bool:
        return self.dispute.state == Dispute.State.OPEN

    @property
    def can_be_reversed(self) -> bool:
        return self.dispute.state == Dispute.State.UPHELD

    @property
    def asks_for_outage(self) -> bool:
        return self.dispute.reason == Dispute.Reason.OUTAGE


def dispute_page(*, principal: Principal, dispute_id: int, now: datetime) -> DisputePage:
    """Return a dispute to decide. raises: NotPermitted, NotFound"""
    principal.require(Permission.DECIDE_DISPUTES)
    rows = Dispute.objects.visible_to(principal)
    found = rows.select_related("staff", "unit", "decided_by", "outage").filter(pk=dispute_id)
    dispute = found.first()
    if dispute is None:
        raise NotFound(_("There is no such dispute."))
    encounters = Encounter.objects.visible_to(principal).filter(key=dispute.encounter_key)
    return DisputePage(
        line=dispute_line(dispute, local_day(now)),
        encounter=encounters.select_related("unit", "channel", "service").first(),
        outage=getattr(dispute, "outage", None),
        is_own=dispute.staff_id == principal.staff_id,
    )


# The rules ---------------------------------------------------------------------------------------


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
    may_change: bool


def rules_page(*, principal: Principal, now: datetime) -> RulesPage:
    """Return the rules by which people are judged; everybody who logs in may read them."""
    today = local_day(now)
    policy, run = policy_on(today), current_run()
    coming = ResultsPolicy.objects.filter(valid_from__gt=today).order_by("valid_from", "number")
    figures = run_figures(run) if run else None
    return RulesPage(
        policy=policy,
        coming=list(coming),
        certainty=number(100 * policy.certainty, 1) if policy else "",
        freezing=_freezing(policy),
        smallest=organisation().smallest_group,
        measures=_measure_rules(frozen_by_measure(today).values(), policy),
        run=run,
        window=_run_window(run) if run else "",
        figures=figures,
        mix=_mix(figures) if figures else [],
        may_change=may_change_rules(principal),
    )


def _mix(figures: RunFigures) -> list[MixLine]:
    return [
        MixLine(
            measure=in_language(each.measure.name),
            factor=factor.factor,
            by=signed(factor.coefficient, DECIMALS),
            share=f"{number(100 * factor.share, 0)} %",
        )
        for each in figures.measures
        for factor in each.mix
        if factor.identified
    ]


def _run_window(run: ResultsRun) -> str:
    return span_text(_months_before(run.ends_on, run.policy.window_months), run.ends_on)


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
