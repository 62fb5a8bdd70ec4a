"""The port through which evaluation gets what indicators are computed from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol, runtime_checkable

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from sqcore.base.periods import Grain, Period
from sqcore.base.registry import Registry
from sqcore.stats.moments import Moments


@dataclass(frozen=True, order=True)
class SourceCell:
    """Where answers or measurements were made: a unit itself (not what is below it), and one
    margin of it: nothing, a channel or a segment.

    `margin` is "" (all), "channel" or "segment"; `value` the code, "" for all.
    """

    unit_id: int
    margin: str = ""
    value: str = ""


@dataclass(frozen=True)
class Collected:
    """Sufficient statistics of one period: axis 0 of `moments` follows `cells`, its measures
    follow `measures`; a measure's integer value divided by its `scale` is in natural units.

    What was counted for the source (5 errors of 200) are 200 people of whom 5 have the value 1; of
    a rate the weight is the exposure, its sum of values the count. `respondents` is 0 where
    nobody answered. Where measures are of different things their cross-products are 0.
    """

    cells: Sequence[SourceCell]
    measures: Sequence[str]
    scales: Sequence[int]
    moments: Moments


class Counts(TextChoices):
    """What the n of a figure counts."""

    ANSWERS = "answers", _("answers")
    ENCOUNTERS = "encounters", _("encounters")
    MEASUREMENTS = "measurements", _("measurements")

    @property
    def are_opinions(self) -> bool:
        return self is Counts.ANSWERS


class Between(TextChoices):
    """The groups that a spread is taken over: how alike the service is from one to another."""

    CHANNEL = "channel", _("channels")
    UNIT = "unit", _("units")
    SEGMENT = "segment", _("segments")
    SHIFT = "shift", _("shifts")
    STAFF = "staff", _("staff")
    WEEK = "week", _("weeks")

    @property
    def are_cells(self) -> bool:
        """True where the groups are cells of the lattice: every source has these already."""
        return self in (Between.CHANNEL, Between.SEGMENT, Between.UNIT)

    @property
    def least_groups(self) -> int:
        """Of fewer nothing is said."""
        return 5 if self is Between.STAFF else 3


GROUPED = "~"
"""Stands between a measure and the groups over which its spread is taken: `waiting~channel`."""


def base_of(measure: str) -> str:
    """Return the measure whose groups are compared, or the measure itself.

    >>> base_of("waiting@app~week"), base_of("waiting")
    ('waiting@app', 'waiting')
    """
    return measure.partition(GROUPED)[0]


def between_of(measure: str) -> Between | None:
    """Return the groups that a measure is compared over; None where it is no spread.

    >>> between_of("waiting~week"), between_of("waiting")
    (Between.WEEK, None)
    """
    groups = measure.partition(GROUPED)[2]
    return Between(groups) if groups else None


class IndicatorSource(Protocol):
    """Where values of indicators come from. Register an instance in `SOURCES`.

    `collect` gets the measures of all indicators of a run that use this source, at once, and
    returns integers: sums that add up exactly over units and periods. It must give the same
    answer for the same rows, whichever way it reads them.
    """

    @property
    def key(self) -> str:
        """Never changes: indicators name it."""
        ...

    @property
    def title(self) -> str:
        """What people read as the source of a number."""
        ...

    @property
    def counts(self) -> Counts:
        """What the n of its figures counts. Opinions are hidden where few gave them, held when
        few changed, never evaluated by week beside months, and belong to one system; what was
        measured is shown as it is."""
        ...

    def measure(self, parameters: Mapping[str, Any]) -> str:
        """Return the measure that these parameters ask for.

        Of opinions, what stands before its first slash, if it has one, names whose answers it
        sums (a questionnaire): these are evaluated in one system only.

        raises: InvalidInput when they ask for nothing that this source has
        """
        ...

    def collect(self, *, measures: Sequence[str], period: Period) -> Collected:
        """Return the moments of these measures in this period, by cell, all units."""
        ...

    def spans(self) -> Mapping[Grain, tuple[date, date]]:
        """Return, by finest usable grain, the first and last day that there is something of."""
        ...

    def changed_since(self, moment: datetime) -> Sequence[tuple[date, date]]:
        """Return [first, last] days of what came in, or was withdrawn, after this moment."""
        ...


@dataclass(frozen=True)
class Offer:
    """Something that a source can measure, as the form of a new indicator offers it."""

    title: str
    parameters: Mapping[str, Any]
    statistic: str
    unit_of_measure: str = ""
    lower_is_better: bool = False


@runtime_checkable
class OffersMeasures(Protocol):
    """A source that can say what it measures; of the others one writes the parameters."""

    def offers(self) -> Sequence[Offer]:
        """Return what it can measure now, in the order in which people look for it."""
        ...


@runtime_checkable
class HasGroups(Protocol):
    """A source of which a spread can be asked: `{..., "between": "channel"}`.

    Its values are means or shares, so that groups have a spread inside. Channels, segments and
    units the run takes from the cells of `collect`.
    """

    def groups_of(self, measure: str) -> Sequence[Between]:
        """Return over which groups the spread of this measure can be taken."""
        ...

    def collect_groups(
        self, *, measures: Sequence[str], between: Between, period: Period
    ) -> Collected:
        """Return the moments of these measures by group: as `collect`, of cells whose margin is
        that of the groups. Of staff the values of the cells must not say who they are. Never
        asked for what `are_cells`."""
        ...


@runtime_checkable
class IsSetUp(Protocol):
    """A source whose measures people define on a page of its own."""

    @property
    def set_up_at(self) -> str:
        """The name of that page's address."""
        ...


SOURCES: Registry[IndicatorSource] = Registry("indicator sources")
