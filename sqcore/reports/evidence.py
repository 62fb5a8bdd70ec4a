"""The port of the diagnosis: who speaks for or against a class of problems at a unit, and how.

Sources of this app stand in `comparison.py`, `operations.py` and `spread.py`, those of others in
`<app>/<room>/evidence.py`; each is registered in its app's `plugins.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from functools import cached_property
from typing import Protocol

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from sqcore.base.periods import Period
from sqcore.base.registry import Registry
from sqcore.evaluation.models import EvaluationRun
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import SystemDefinition
from sqcore.indicators.models import IndicatorSystem
from sqcore.org.models import Unit
from sqcore.org.queries import UnitTree


class Says(TextChoices):
    """What a piece of evidence says about a class of problems."""

    FOR = "for", _("speaks for it")
    AGAINST = "against", _("speaks against it")
    UNCLEAR = "unclear", _("does not tell")
    NOTHING = "nothing", _("not enough data")


class Strength(TextChoices):
    """How large an effect is: from once, twice and three times what matters on."""

    NONE = "none", _("less than matters")
    SMALL = "small", _("small")
    MODERATE = "moderate", _("moderate")
    STRONG = "strong", _("strong")


class Measured(Enum):
    """What an effect is counted in, which says how it is written."""

    POINTS = "points"
    """Points of 100 between the goalposts."""
    SHARE = "share"
    """A share, or the difference of two, 0 to 1."""
    SPREAD = "spread"
    """How far two are apart on average, in points of 100."""
    VARIANCE = "variance"
    """The share of the variance that lies between people, 0 to 1."""
    SIGMA = "sigma"
    """Standard deviations of a series."""

    @property
    def is_variance(self) -> bool:
        return self is Measured.VARIANCE


@dataclass(frozen=True)
class Effect:
    """A named effect with its interval: above 0 it speaks for the problem.

    name: what was compared with what, in a few words; matters: the smallest that matters, > 0
    n: what it rests on, `counts` says of what; `low` and `high` are None where there is no interval
    no_interval: why there is none
    """

    name: str
    measured: Measured
    value: float
    low: float | None
    high: float | None
    matters: float
    n: int
    counts: str
    no_interval: str = ""


@dataclass(frozen=True)
class Evidence:
    """What one source says about one class at one unit in one period.

    sentence: for people, with the numbers in natural units; why: the reason, where there is not
    enough data. supports_only: what is counted without an interval supports a verdict and never
    makes one. url: the page that shows it; since: the first day of the data.
    """

    says: Says
    sentence: str
    effect: Effect | None = None
    why: str = ""
    since: date | None = None
    until: date | None = None
    url: str = ""
    url_title: str = ""
    supports_only: bool = False

    @classmethod
    def not_enough(cls, why: str, *, url: str = "", url_title: str = "") -> "Evidence":
        """Return that there is not enough data, and why."""
        return cls(Says.NOTHING, "", why=why, url=url, url_title=url_title)


@dataclass(frozen=True)
class Question:
    """Which unit in which closed period, asked by whom; what a source reads, it reads for them.

    today: the day of asking, for what is only known at present (assignments, roles)
    """

    unit: Unit
    period: Period
    system: IndicatorSystem
    run: EvaluationRun
    definition: SystemDefinition
    principal: Principal
    today: date

    @property
    def last_day(self) -> date:
        return self.period.end - timedelta(days=1)

    @cached_property
    def tree(self) -> UnitTree:
        """The units as they stood in the period."""
        return UnitTree({int(unit): parent for unit, parent in self.run.tree.items()})

    @cached_property
    def below(self) -> frozenset[int]:
        """The unit and all below it whose results the asker may see."""
        return self._seen(self.tree.within([self.unit.pk]))

    def _seen(self, units: frozenset[int]) -> frozenset[int]:
        scope = self.principal.scope(Permission.VIEW_RESULTS)
        return frozenset(unit for unit in units if unit in scope)

    @cached_property
    def children(self) -> list[int]:
        """The units right below it whose results the asker may see."""
        return sorted(self._seen(frozenset(self.tree.children.get(self.unit.pk, []))))

    @cached_property
    def peers(self) -> frozenset[int]:
        """The other units of the same level whose results the asker may see."""
        depth = len(self.tree.path(self.unit.pk))
        level = (unit for unit in self.tree.parents if len(self.tree.path(unit)) == depth)
        return self._seen(frozenset(level)) - {self.unit.pk}

    @cached_property
    def others(self) -> frozenset[int]:
        """The peers and all below them."""
        return self._seen(self.tree.within(self.peers))


class EvidenceSource(Protocol):
    """Something that can speak for or against a class of problems.

    key: unique, stable; cause: a class of `sqcore.causes.taxonomy`; title: what it looks at
    method: the version of how it computes, raised with every change of a figure
    """

    @property
    def key(self) -> str: ...

    @property
    def cause(self) -> str: ...

    @property
    def title(self) -> str | Promise: ...

    @property
    def method(self) -> int: ...

    def speak(self, question: Question) -> Evidence | None:
        """Return what it says of this unit; None where the house has nothing that it looks at.

        Everything is read through `visible_to(question.principal)`, from figures that are
        published, never from single answers; nothing is said of a single person.
        """


EVIDENCE: Registry[EvidenceSource] = Registry("evidence sources")


class NextStep(Protocol):
    """Something that a person can do about a class of problems, offered beside its verdict.

    key: unique, stable; title: a verb with its object, for a link
    """

    @property
    def key(self) -> str: ...

    @property
    def title(self) -> str | Promise: ...

    def url(self, *, question: Question, cause: str, found: Sequence[str]) -> str:
        """Return where it is done; "" when it is not for this person, or not for this class.

        found: the sentences of what speaks for the class
        """


NEXT_STEPS: Registry[NextStep] = Registry("next steps")
