"""Would another unit be first with other weights? Units in order, in the newest closed period."""

from dataclasses import dataclass

import numpy as np

from sqcore.base.periods import Period, title_of
from sqcore.identity.principals import Principal
from sqcore.indicators.models import SystemVersion
from sqcore.indicators.shapes import Aggregation
from sqcore.stats.composite import FLOOR
from sqcore.stats.results import Figure, MethodStatus
from sqcore.stats.sensitivity import Robustness, UnitRank, rank_intervals, room_to_move
from sqcore.weighting.port import Part, ScoredUnit, published_scores
from sqcore.weighting.queries import Group, groups_of, in_force

SHOWN = 100
"""So many units stand on a page; all of them are in the figures."""


@dataclass(frozen=True)
class RankedUnit:
    """A unit with its place, the places it keeps, and how often the next one overtakes it."""

    unit: ScoredUnit
    rank: UnitRank
    overtaken: float | None

    @property
    def overtaken_percent(self) -> float | None:
        return None if self.overtaken is None else 100 * self.overtaken


@dataclass(frozen=True)
class PartRoom:
    """How far the weight of a part may move, and who is first beyond its ends; `order`: how far
    before any two units change places."""

    code: str
    name: str
    share: Figure
    order: Figure
    weight: float
    rival_below: str
    rival_above: str

    @property
    def now(self) -> float:
        return 100 * self.weight

    @property
    def low(self) -> float | None:
        return None if self.share.low is None else 100 * self.share.low

    @property
    def high(self) -> float | None:
        return None if self.share.high is None else 100 * self.share.high

    @property
    def order_ends(self) -> tuple[float, float] | None:
        if self.order.low is None or self.order.high is None:
            return None
        return 100 * self.order.low, 100 * self.order.high


@dataclass(frozen=True)
class Sensitivity:
    """How the order of the units that somebody sees depends on the weights of the top dimensions.

    `figures_of` is the number of the version by which the period was evaluated. Without a period
    nothing was evaluated; `left_out` units have too few figures to be ranked.
    """

    version: SystemVersion
    group: Group
    period: Period | None
    figures_of: int | None
    units: tuple[RankedUnit, ...]
    left_out: int
    robustness: Robustness | None
    rooms: tuple[PartRoom, ...]

    @property
    def status(self) -> MethodStatus:
        return self.robustness.status if self.robustness else MethodStatus.INSUFFICIENT_N

    @property
    def period_words(self) -> str:
        return title_of(self.period) if self.period else ""

    @property
    def shown(self) -> tuple[RankedUnit, ...]:
        return self.units[:SHOWN]

    @property
    def not_shown(self) -> int:
        return max(len(self.units) - SHOWN, 0)

    @property
    def shares(self) -> dict[str, tuple[float, ...] | None]:
        """The shares of draws in percent, each with its interval."""
        if self.robustness is None:
            return {}
        return {
            "first": _percents(self.robustness.first_changes),
            "any": _percents(self.robustness.any_changes),
        }


def _percents(figure: Figure) -> tuple[float, ...] | None:
    if figure.value is None or figure.low is None or figure.high is None:
        return None
    return tuple(100 * number for number in (figure.value, figure.low, figure.high))


def sensitivity_of(version: SystemVersion, *, principal: Principal) -> Sensitivity:
    """Return how firm the order of units is in the newest closed period.

    A published or former version is judged by the periods that it evaluated itself, a draft by
    those of the version in force. Only units that the principal may see take part. Six queries,
    of a draft seven, whatever the number of units.
    """
    group = groups_of(version)[0]
    published = published_scores()
    judged = in_force(version) if version.state == SystemVersion.State.DRAFT else version
    parts = [
        Part(each.code, True) for each in group.siblings if each.is_dimension and each.weight > 0
    ]
    nothing = Sensitivity(version, group, None, None, (), 0, None, ())
    if published is None or judged is None or not parts:
        return nothing
    period = next(iter(published.periods(version=judged)), None)
    if period is None:
        return nothing
    found = published.scores(version=judged, period=period, parts=parts, principal=principal)
    if found is None:
        return nothing
    ranked = [unit for unit in found.units if unit.is_ranked]
    table = np.array([unit.scores for unit in ranked], dtype=np.float64).reshape(-1, len(parts))
    if version.aggregation == Aggregation.GEOMETRIC:
        # The order of geometric means is that of the weighted means of logarithms.
        table = np.log(np.maximum(table, FLOOR))
    weights = [float(group.weights[part.code]) for part in parts]
    robustness = rank_intervals(table, weights)
    order = robustness.order
    overtaken = dict(zip(order, robustness.neighbours, strict=False))
    return Sensitivity(
        version=version,
        group=group,
        period=period,
        figures_of=judged.number,
        units=tuple(
            RankedUnit(ranked[at], robustness.units[at], overtaken.get(at)) for at in order
        ),
        left_out=len(found.units) - len(order),
        robustness=robustness,
        rooms=tuple(
            PartRoom(
                part.code,
                group.name_of(part.code),
                room.share,
                room.order,
                float(group.weights[part.code]),
                "" if room.rival_below is None else ranked[room.rival_below].name,
                "" if room.rival_above is None else ranked[room.rival_above].name,
            )
            for part, room in zip(parts, room_to_move(table, weights), strict=True)
        ),
    )
