"""The list of people with their results, by unit or by name, and the picture of all of them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.text import in_language, number
from sqcore.dashboards.figures import Figure
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.queries import local_day, organisation
from sqcore.performance.drawing import MOST_POINTS, FunnelPoint, funnel_figure
from sqcore.performance.forms import AskedPeople
from sqcore.performance.measures import measures_of
from sqcore.performance.models import ResultsPolicy, ResultsRun, StaffResult
from sqcore.performance.queries import JUDGED, current_run
from sqcore.performance.wording import (
    DECIMALS,
    Said,
    interval_text,
    mark_of,
    run_window_text,
    short_use,
)
from sqcore.stats.errors import StatisticsError
from sqcore.stats.funnels import overdispersion
from sqcore.stats.people import expected_flags

Verdict = StaffResult.Verdict
PER_PAGE = 50


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
        window=run_window_text(run),
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
        between=interval_text(row),
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
