"""What can be seen by when: from the effect that somebody wants to the day of its check."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from math import isfinite, sqrt

from django.utils.translation import gettext as _

from improvement.tickets.models import Ticket
from improvement.verification.models import EffectPlan
from improvement.verification.queries import Comparing, comparing
from improvement.verification.windows import (
    HOLES,
    LATE,
    LEAST,
    MOST_BEFORE_TICKET,
    Spot,
    Window,
    end_of,
    first_after,
    spots_of,
)
from improvement.verification.wording import amount, amount_at_least, spans
from sqcore.base.errors import InvalidInput, Problem
from sqcore.base.periods import Grain, Period
from sqcore.base.text import day, in_language
from sqcore.evaluation.wording import Scale, scale_of
from sqcore.indicators.definition import IndicatorDefinition
from sqcore.indicators.models import Indicator, IndicatorSystem
from sqcore.indicators.queries import published_versions
from sqcore.indicators.shapes import is_two_sided
from sqcore.monitoring.models import Baseline
from sqcore.monitoring.passes import leaves_of
from sqcore.monitoring.queries import (
    SeriesKey,
    SeriesPoint,
    baseline_at,
    baselines_of,
    series_points,
)
from sqcore.org.queries import fiscal_start
from sqcore.stats.effects import (
    LOOK_CONFIDENCE,
    autocorrelation,
    periods_needed,
    smallest_detectable,
)

MOST_AFTER = 104
MOST_WASHOUT = 26
FOR_EVER = 10**9
ONE_LOOK = 0.95
FARTHEST = timedelta(days=730)
HORIZONS = (4, 8, 13, 26, 52)


def refusal(text: str, field: str = "") -> InvalidInput:
    """A refusal that names its field."""
    return InvalidInput(text, problems=[Problem(text, field)])


# ---- Which series --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Place:
    """An indicator of a system with its series at a unit."""

    system: IndicatorSystem
    leaf: IndicatorDefinition
    key: SeriesKey

    @property
    def scale(self) -> Scale:
        return scale_of(self.leaf)

    @property
    def name(self) -> str:
        return in_language(self.leaf.name)

    @property
    def better(self) -> int:
        """1 where more is better, else -1; of what is best in the middle 0, and it has no place."""
        if is_two_sided(self.leaf):
            return 0
        return 1 if self.leaf.direction == Indicator.Direction.HIGHER else -1


def places_of(ticket: Ticket, grain: Grain) -> list[Place]:
    """Return the indicators that an effect at the ticket's unit can be promised on."""
    systems = (
        [version.system for version in published_versions()]
        if ticket.system is None
        else [ticket.system]
    )
    return [
        Place(system, leaf, _key(system, ticket, leaf.code, grain))
        for system in systems
        for leaf in leaves_of(system, grain).values()
    ]


def place_of(ticket: Ticket, code: str, grain: Grain) -> Place:
    """Return the series of an indicator at the ticket's unit. raises: InvalidInput, of what is best
    in the middle, too: nothing can be promised on it"""
    for place in places_of(ticket, grain):
        if place.leaf.code == code:
            if not place.better:
                raise refusal(_no_direction(place), "code")
            return place
    text = _("“%(code)s” is no indicator that is evaluated here.") % {"code": code}
    raise refusal(text, "code")


def _no_direction(place: Place) -> str:
    return _(
        "“%(name)s” has its best in the middle: no change of it is better or worse by itself. "
        "Choose an indicator with a direction."
    ) % {"name": place.name}


def _key(system: IndicatorSystem, ticket: Ticket, code: str, grain: Grain) -> SeriesKey:
    return SeriesKey(system.pk, ticket.unit_id, code, grain)


def points_of(place: Place, *, through: date, field: str = "code") -> list[SeriesPoint]:
    """Return the series of a place. raises: InvalidInput when there is none"""
    points = series_points(key=place.key, through=through)
    if not any(point.is_usable for point in points):
        text = _("There are no figures of “%(name)s” here by this period.") % {"name": place.name}
        raise refusal(text, field)
    return points


# ---- What is known before the action -------------------------------------------------------------
@dataclass(frozen=True)
class Ground:
    """What an effect is promised on: the side before as it will be when the action begins.

    n_before: usable periods by then; sigma, phi: from those that are known by now, and from the
    baseline before the signal, each about its own mean
    """

    place: Place
    comparing: Comparing
    starts_on: date
    first_after: Period
    n_before: int
    sigma: float
    phi: float


def ground_of(
    ticket: Ticket, *, code: str, grain: Grain, starts_on: date, washout: int, today: date
) -> Ground:
    """Look at what a plan would stand on. raises: InvalidInput with what is missing"""
    _refuse_days(starts_on, washout, today)
    place = place_of(ticket, code, grain)
    points = points_of(place, through=today)
    found = comparing(ticket, grain)
    ends_on = found.ends_on(starts_on)
    known = _known(points, found.compares_from, ends_on, today)
    n_before = known.usable + _to_come(points, found.compares_from, ends_on, today)
    _refuse_side(known, n_before, found, grain, starts_on)
    n_before = min(n_before, found.most)
    sigma, phi = _spread(place, points, known, found)
    first = first_after(starts_on, washout, grain, fiscal_start=fiscal_start())
    return Ground(place, found, starts_on, first, n_before, sigma, phi)


def _refuse_days(starts_on: date, washout: int, today: date) -> None:
    if starts_on < today:
        raise refusal(
            _("An effect is promised before its action: choose a day from today on."), "starts_on"
        )
    if starts_on > today + FARTHEST:
        raise refusal(_("An action later than in two years cannot be planned."), "starts_on")
    if not 0 <= washout <= MOST_WASHOUT:
        text = _("Between 0 and %(most)s periods can be left out.") % {"most": MOST_WASHOUT}
        raise refusal(text, "washout")


def _expected_from(points: Sequence[SeriesPoint], today: date) -> date:
    """The first day of what is taken to come: a series that is a little late goes on, one that
    ended long ago does not."""
    last = points[-1].period
    at, late = last, 0
    while at.next.end <= today:
        at, late = at.next, late + 1
    return last.end if late <= LATE else at.end


def _known(points: Sequence[SeriesPoint], since: date, until: date, today: date) -> Window:
    spots = spots_of(points, through=_expected_from(points, today))
    grain, month = points[0].period.grain, points[0].period.fiscal_start
    return Window(
        tuple(
            spot
            for spot in spots
            if spot.on >= since and Period(spot.on, grain, month).end <= until
        )
    )


def _to_come(points: Sequence[SeriesPoint], since: date, until: date, today: date) -> int:
    model = points[0].period
    start = max(since, _expected_from(points, today))
    period = Period.of(start, model.grain, fiscal_start=model.fiscal_start)
    count = 0
    while period.end <= until:
        count += 1
        period = period.next
    return count


def _refuse_side(
    known: Window, n_before: int, found: Comparing, grain: Grain, starts_on: date
) -> None:
    if n_before < LEAST:
        raise refusal(_too_few(n_before, found, grain, starts_on), "starts_on")
    all_before = len(known.spots) + n_before - known.usable
    if (len(known.spots) - known.usable) * HOLES > all_before:
        raise refusal(
            _(
                "More than one period in five before the action is missing or excluded: nothing can"
                " be compared with that."
            ),
            "code",
        )


def _too_few(n: int, found: Comparing, grain: Grain, starts_on: date) -> str:
    said: dict[str, object] = {"spans": spans(n, grain), "least": LEAST}
    if found.is_contained:
        return (
            _(
                "The containment leaves %(spans)s to compare with; it takes at least"
                " %(least)s, so no effect can be verified."
            )
            % said
        )
    if found.kind == EffectPlan.Comparison.BEFORE_TICKET:
        return (
            _(
                "The time before the ticket gives %(spans)s to compare with; it takes at least"
                " %(least)s."
            )
            % said
        )
    # What was counted reaches up to the period of the planned day; what is missing follows.
    planned = Period.of(max(found.compares_from, starts_on), grain, fiscal_start=fiscal_start())
    said |= {"day": day(end_of(planned, LEAST - n))}
    return (
        _(
            "The time between the signal and the action gives %(spans)s to compare with; it takes"
            " at least %(least)s. Begin the action on %(day)s or later."
        )
        % said
    )


def _spread(
    place: Place, points: Sequence[SeriesPoint], known: Window, found: Comparing
) -> tuple[float, float]:
    """Return sigma and phi, pooled over the side before and the baseline."""
    earlier = [
        Spot(each.period.start, each.value, each.is_excluded)
        for each in _earlier(place, points, found.compares_from)
    ]
    stretches = [each for each in (known, Window(tuple(earlier))) if each.usable >= LEAST]
    if not stretches:
        raise refusal(
            _(
                "There are too few figures yet to know how much they vary: it takes at least"
                " %(least)s."
            )
            % {"least": LEAST},
            "code",
        )
    squares = sum(
        (spot.value - (each.mean or 0.0)) ** 2
        for each in stretches
        for spot in each.spots
        if spot.value is not None and spot.is_usable
    )
    phi = autocorrelation(*(each.values for each in stretches))
    free = sum(each.usable for each in stretches) - len(stretches)
    sigma = sqrt(squares / free)
    if phi is None or not sigma > 0.0:
        raise refusal(
            _("The figures are all the same: without any variation chance cannot be judged."),
            "code",
        )
    return sigma, phi


def _earlier(place: Place, points: Sequence[SeriesPoint], compares_from: date) -> list[SeriesPoint]:
    """The points of the baseline that judges the side before, else the last ones before it."""
    before = [each for each in points if each.period.start < compares_from]
    baseline = frozen_baseline(place.key, compares_from)
    if baseline is None:
        return before[-MOST_BEFORE_TICKET:]
    return [each for each in before if baseline.starts_on <= each.period.start < baseline.ends_on]


def frozen_baseline(key: SeriesKey, compares_from: date) -> Baseline | None:
    """Return the baseline that judges the first period of the side before."""
    return baseline_at(baselines_of(key), compares_from)


# ---- What can be seen by when --------------------------------------------------------------------
@dataclass(frozen=True)
class Horizon:
    """With a check on this day an effect of this size is seen, four times out of five."""

    n_after: int
    on: date
    effect: float


@dataclass(frozen=True)
class Outlook:
    """What a plan would come to. With a `refusal` there is no check day; `field` is what it is
    about. `floor` is the smallest effect that can ever be seen, however long one waits."""

    ground: Ground | None = None
    minimum: float | None = None
    better: int = 0
    is_extendable: bool = False
    floor: float | None = None
    horizons: tuple[Horizon, ...] = ()
    n_after: int | None = None
    check_on: date | None = None
    smallest_detectable: float | None = None
    refusal: str = ""
    field: str = ""

    @property
    def in_sigma(self) -> float | None:
        """The wanted effect in sigma of the series."""
        if self.ground is None or self.minimum is None:
            return None
        return self.minimum / self.ground.sigma


def outlook(
    *,
    ticket: Ticket,
    code: str,
    grain: Grain,
    minimum: float | None,
    starts_on: date,
    washout: int,
    today: date,
    better: int | None = None,
    wished_on: date | None = None,
    is_extendable: bool = False,
) -> Outlook:
    """Say what can be seen by when; a refusal stands in the answer and nothing is raised.

    Without a minimum it says only how large effects must be to be seen by certain days.
    """
    try:
        ground = ground_of(
            ticket, code=code, grain=grain, starts_on=starts_on, washout=washout, today=today
        )
    except InvalidInput as error:
        field = error.problems[0].field if error.problems else ""
        return Outlook(minimum=minimum, refusal=error.message, field=field)
    found = Outlook(
        ground=ground,
        minimum=minimum,
        better=better or ground.place.better,
        is_extendable=is_extendable,
        floor=_visible(ground, FOR_EVER, is_extendable),
        horizons=tuple(
            Horizon(n, end_of(ground.first_after, n), _visible(ground, n, is_extendable))
            for n in HORIZONS
        ),
    )
    return found if minimum is None else _with_check(found, ground, minimum, wished_on)


def confidence_of(*, is_extendable: bool) -> float:
    """Return how sure each look of a plan is: .05 is spent on one, or .025 on each of two."""
    return LOOK_CONFIDENCE if is_extendable else ONE_LOOK


def _visible(ground: Ground, n_after: int, is_extendable: bool) -> float:
    return smallest_detectable(
        n_before=ground.n_before,
        n_after=n_after,
        sigma=ground.sigma,
        phi=ground.phi,
        confidence=confidence_of(is_extendable=is_extendable),
    )


def _with_check(found: Outlook, ground: Ground, minimum: float, wished_on: date | None) -> Outlook:
    if not (isfinite(minimum) and minimum > 0):
        text = _("The smallest effect that counts must be larger than 0.")
        return replace(found, refusal=text, field="minimum")
    n_after = periods_needed(
        effect=minimum,
        n_before=ground.n_before,
        sigma=ground.sigma,
        phi=ground.phi,
        most=MOST_AFTER,
        confidence=confidence_of(is_extendable=found.is_extendable),
    )
    if n_after is None:
        return replace(found, refusal=_never(found, ground, minimum), field="minimum")
    earliest = end_of(ground.first_after, n_after)
    if wished_on is not None and wished_on < earliest:
        text = _("An effect of %(effect)s cannot be judged before %(day)s.") % {
            "effect": amount(minimum, ground.place.scale),
            "day": day(earliest),
        }
        return replace(found, refusal=text, field="wished_on")
    n_after = _by(ground, wished_on, n_after)
    return replace(
        found,
        n_after=n_after,
        check_on=end_of(ground.first_after, n_after),
        smallest_detectable=_visible(ground, n_after, found.is_extendable),
    )


def _by(ground: Ground, wished_on: date | None, n_after: int) -> int:
    """So many periods are over by the wished day, but no more than a check may wait for."""
    if wished_on is None:
        return n_after
    count = n_after
    while count < MOST_AFTER and end_of(ground.first_after, count + 1) <= wished_on:
        count += 1
    return count


def _never(found: Outlook, ground: Ground, minimum: float) -> str:
    scale, grain = ground.place.scale, ground.place.key.grain
    floor = found.floor or 0.0
    said = {"before": spans(ground.n_before, grain), "most": spans(MOST_AFTER, grain)}
    if minimum <= floor:
        return _(
            "With %(before)s before, an effect of less than %(floor)s cannot be told from chance,"
            " however long you wait."
        ) % {**said, "floor": amount_at_least(floor, scale)}
    seen = _visible(ground, MOST_AFTER, found.is_extendable)
    return _(
        "With %(before)s before, an effect of %(effect)s would be seen only after more than"
        " %(most)s; by then one of %(seen)s can be."
    ) % {**said, "effect": amount(minimum, scale), "seen": amount_at_least(seen, scale)}
