"""How figures are said to people: numbers with their marks, changes in words, what is behind."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.periods import Period
from sqcore.base.periods import title_of as title_of
from sqcore.base.text import number as number
from sqcore.base.text import signed as signed
from sqcore.dashboards.figures import Point
from sqcore.evaluation.figures import Change, Figure, Provenance
from sqcore.evaluation.models import KpiValue
from sqcore.indicators.definition import IndicatorDefinition
from sqcore.indicators.models import Indicator, UnitOfMeasure
from sqcore.indicators.shapes import HasShape, ends_of, is_even, words_of
from sqcore.indicators.sources import Counts, between_of


@dataclass(frozen=True)
class Scale:
    """How numbers of one kind are written, and the ends of their bar."""

    factor: float = 1.0
    decimals: int = 1
    unit: str = ""
    minimum: float = 0.0
    maximum: float = 100.0

    def of(self, number: float | None) -> float | None:
        return None if number is None else number * self.factor


SCORE = Scale()


PERCENT = (100.0, 1, "%")


def scale_of(leaf: IndicatorDefinition | None) -> Scale:
    """Return how values are written: shares in percent, times and rates in their unit, other
    means by two decimals, scores by one."""
    if leaf is None:
        return SCORE
    by_statistic = {"proportion": PERCENT, "nps": (1.0, 0, "")}
    factor, decimals, unit = by_statistic.get(leaf.statistic) or _units().get(
        leaf.unit_of_measure, (1.0, 2, "")
    )
    ends = sorted(end * factor for end in ends_of(leaf))
    return Scale(factor, decimals, unit, *ends)


def _units() -> dict[str, tuple[float, int, str]]:
    """How values of each unit of measure are written: factor, decimals, what stands behind."""
    return {
        UnitOfMeasure.SHARE: PERCENT,
        UnitOfMeasure.PERCENT: (1.0, 1, "%"),
        UnitOfMeasure.SECONDS: (1.0, 0, _("s")),
        UnitOfMeasure.MINUTES: (1.0, 1, _("min")),
        UnitOfMeasure.HOURS: (1.0, 1, _("h")),
        UnitOfMeasure.DAYS: (1.0, 1, _("days")),
        UnitOfMeasure.PER_HUNDRED: (1.0, 2, _("per 100")),
        UnitOfMeasure.PER_THOUSAND: (1.0, 2, _("per 1,000")),
        UnitOfMeasure.PER_MONTH: (1.0, 2, _("per month")),
    }


def reading_of(leaf: IndicatorDefinition) -> str:
    """Say how a spread between groups is read; empty for any other indicator."""
    between = between_of(leaf.measure)
    if between is None:
        return ""
    said = {"groups": between.label, "least": between.least_groups}
    if leaf.statistic == Indicator.Statistic.ICC:
        first = _(
            "Which share of all differences between single values goes with the %(groups)s; 0 says"
            " that they are alike."
        )
    else:
        first = _(
            "How far the %(groups)s typically lie from what is usual: about two of three are no"
            " further. What chance alone makes is taken out; 0 says that no difference is seen."
        )
    return " ".join(
        (
            first % said,
            _(
                "Small groups are left out, and %(least)s are needed. With few groups the interval"
                " is wide, however much was counted: it says what is not known yet, not that they"
                " differ."
            )
            % said,
        )
    )


def counted(n: int | None, counts: str) -> str:
    """Return what an n counts, in words: 1,203 encounters."""
    if n is None:
        return ""
    if n == 0 and counts == Counts.ANSWERS:
        return _("no answers in it")
    said = {"n": number_format(n, force_grouping=True)}
    if counts == Counts.ENCOUNTERS:
        return ngettext("%(n)s encounter", "%(n)s encounters", n) % said
    if counts == Counts.MEASUREMENTS:
        return ngettext("%(n)s measurement", "%(n)s measurements", n) % said
    return ngettext("%(n)s answer", "%(n)s answers", n) % said


@dataclass(frozen=True)
class Verdict:
    """How a figure stands to its target; `tone` as of a pill."""

    key: str
    text: str
    tone: str


def verdict_of(
    value: float | None,
    low: float | None,
    high: float | None,
    *,
    target: float | None,
    floor: float | None = None,
    rising: bool = True,
) -> Verdict | None:
    """Say whether a target is reached, by the interval; None without a figure or a target.

    `rising`: higher is better. Reached, missed or below the floor is what lies there with its
    whole interval; without an interval nobody can tell.
    """
    if value is None or target is None:
        return None
    if low is None or high is None:
        return Verdict("unclear", _("cannot be told yet"), "")
    worst, best = (low, high) if rising else (-high, -low)
    sign = 1 if rising else -1
    if floor is not None and best < sign * floor:
        return Verdict("below", _("below the floor"), "bad")
    if worst >= sign * target:
        return Verdict("reached", _("reached"), "good")
    if best < sign * target:
        return Verdict("missed", _("not reached"), "watch")
    return Verdict("unclear", _("cannot be told yet"), "")


@dataclass(frozen=True)
class Mark:
    """A figure as it is drawn; without numbers when withheld or unknown, and `why` says so."""

    state: str
    scale: Scale
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    coverage: float | None = None
    why: str = ""
    smallest_group: int | None = None
    counts: str = Counts.ANSWERS.value

    @property
    def is_shown(self) -> bool:
        return self.state == "shown"

    @property
    def is_withheld(self) -> bool:
        return self.state == "withheld"

    @property
    def text(self) -> str:
        return "" if self.value is None else number(self.value, self.scale.decimals)

    @property
    def n_text(self) -> str:
        return "" if self.n is None else number(self.n, 0)

    @property
    def counted(self) -> str:
        """The n with what it counts."""
        return counted(self.n, self.counts)

    @property
    def between(self) -> str:
        """The ends of the interval, or nothing."""
        if self.low is None or self.high is None:
            return ""
        return f"{number(self.low, self.scale.decimals)} – {number(self.high, self.scale.decimals)}"

    @property
    def percent_covered(self) -> str:
        return "" if self.coverage is None else f"{number(100 * self.coverage, 0)} %"


def points_of_change(leaf: IndicatorDefinition | None) -> Scale:
    """Return what turns a change of an indicator's value into points from 0 to 100; where it has
    another shape than goalposts, as between its best and its worst."""
    return SCORE if leaf is None else Scale(factor=100.0 / (leaf.best - leaf.worst))


def step_in_points(change: Change | None, leaf: IndicatorDefinition | None) -> "Step | None":
    """Return a change in points from 0 to 100; None where a shape does not let it be told."""
    if leaf is None or is_even(leaf):
        return step_of(change, points_of_change(leaf))
    return step_of(change.points if change is not None else None)


def scoring_words(leaf: HasShape, scale: Scale) -> str:
    """Return how values become points, as people read it."""

    def said(value: float) -> str:
        return f"{number(value * scale.factor, scale.decimals)} {scale.unit}".strip()

    return words_of(leaf, said)


def mark_of(
    figure: Figure | None,
    *,
    leaf: IndicatorDefinition | None = None,
    counts: str = Counts.ANSWERS.value,
) -> Mark:
    """Return the mark of a figure: with `leaf` its value in natural units, else its score."""
    scale = scale_of(leaf)
    if figure is None:
        return Mark("unknown", scale, why=_("nothing measured"))
    if figure.status == KpiValue.Status.SUPPRESSED:
        return Mark("withheld", scale, why=_("too few answers to show"))
    if not figure.is_shown:
        return Mark("unknown", scale, why=_unknown(figure))
    numbers = (
        (figure.value, figure.low, figure.high)
        if leaf is not None
        else (figure.score, figure.score_low, figure.score_high)
    )
    value, low, high = map(scale.of, numbers)
    why = {
        KpiValue.Reason.HELD: _("as published before: too few new answers"),
        KpiValue.Reason.PARTLY: _("the interval leaves out what was measured only once"),
    }.get(figure.reason, "")  # type: ignore[call-overload]  # a reason is a string
    return Mark(
        "shown",
        scale,
        value,
        low,
        high,
        figure.n,
        figure.coverage,
        why,
        counts=leaf.counts if leaf is not None else counts,
    )


def _unknown(figure: Figure) -> str:
    if figure.reason == KpiValue.Reason.MISSING:
        return _("something that it is computed from is missing")
    if figure.reason == KpiValue.Reason.UNDEFINED:
        return _("would divide by zero")
    if figure.reason == KpiValue.Reason.FEW_GROUPS:
        return _("too few groups to compare")
    return _("not enough data")


@dataclass(frozen=True)
class Step:
    """A change in words. `tone` is good or bad only when the change is clear."""

    by: float
    text: str
    tone: str
    is_clear: bool
    between: str
    since: str
    is_partial: bool
    came: str = ""
    went: str = ""
    redefined: str = ""

    @property
    def verdict(self) -> str:
        return _("clear change") if self.is_clear else _("no clear change")

    @property
    def sentence(self) -> str:
        """What became of it, with how sure."""
        parts = {"by": self.text, "since": self.since, "between": self.between}
        if not self.is_clear:
            text = _("No clear change since %(since)s: the change lies between %(between)s.")
        elif self.by > 0:
            text = _("Clearly up by %(by)s since %(since)s: the change lies between %(between)s.")
        else:
            text = _("Clearly down by %(by)s since %(since)s: the change lies between %(between)s.")
        said = text % parts
        if self.is_partial:
            said += " " + _("Compared on the indicators that both periods have.")
        return f"{said} {self.composition}".strip()

    @property
    def composition(self) -> str:
        """Which indicators came or went."""
        parts = []
        if self.came:
            parts.append(_("New in it: %(names)s.") % {"names": self.came})
        if self.went:
            parts.append(_("No longer in it: %(names)s.") % {"names": self.went})
        if self.redefined:
            parts.append(_("Measured otherwise now: %(names)s.") % {"names": self.redefined})
        return " ".join(parts)


def step_of(change: Change | None, scale: Scale = SCORE) -> Step | None:
    if change is None:
        return None
    by = scale.factor * change.by
    low, high = sorted((scale.factor * change.low, scale.factor * change.high))
    tone = "" if change.is_better is None else ("good" if change.is_better else "bad")
    return Step(
        by=round(by, scale.decimals),
        text=number(abs(by), scale.decimals),
        tone=tone,
        is_clear=change.is_clear,
        between=_("%(low)s and %(high)s")
        % {"low": signed(low, scale.decimals), "high": signed(high, scale.decimals)},
        since=title_of(change.since),
        is_partial=change.composition_changed,
        came=_("; ").join(change.came),
        went=_("; ").join(change.went),
        redefined=_("; ").join(change.redefined),
    )


@dataclass(frozen=True)
class About:
    """What stands behind a number: how sure, from what, since when."""

    sure: str
    source: str
    since: str


def about(
    run: Provenance,
    n: int | None = None,
    coverage: float | None = None,
    counts: str = Counts.ANSWERS.value,
) -> About:
    return About(_how_sure(run), _from_what(run, n, coverage, counts), _since_when(run))


def _how_sure(run: Provenance) -> str:
    percent = {"percent": number(100 * run.confidence, 0)}
    return " ".join(
        (
            _(
                "%(percent)s %% interval from the spread of what was counted: made this way, it "
                "holds the true value in about %(percent)s of 100 cases."
            )
            % percent,
            _("A change is clear when the interval of the change itself leaves 0 out."),
        )
    )


def _from_what(run: Provenance, n: int | None, coverage: float | None, counts: str) -> str:
    parts = []
    if n is not None:
        parts.append(_("%(counted)s.") % {"counted": counted(n, counts)})
    parts.append(
        _("Source: %(sources)s. Indicator system “%(system)s”, version %(version)s.")
        % {"sources": ", ".join(run.sources), "system": run.system, "version": run.version}
    )
    if coverage is not None:
        parts.append(
            _("%(share)s %% of the weight was measured.") % {"share": number(100 * coverage, 0)}
        )
    parts.append(
        _("Groups of fewer than %(k)s answers are not shown anywhere.") % {"k": run.smallest_group}
    )
    return " ".join(parts)


def _since_when(run: Provenance) -> str:
    published = localtime(run.published_at) if run.published_at else None
    collected = localtime(run.collected_at) if run.collected_at else None
    # Translators: a day with its time, in the letters of Django's date filter
    form = _("j M Y, H:i")
    parts = [
        _("Evaluation %(run)s, revision %(revision)s, of %(period)s.")
        % {"run": run.run_id, "revision": run.revision, "period": title_of(run.period)}
    ]
    if published:
        parts.append(_("Published %(at)s.") % {"at": date_format(published, form)})
    if collected:
        parts.append(_("With what was in by %(at)s.") % {"at": date_format(collected, form)})
    return " ".join([*parts, _("Why: %(reason)s.") % {"reason": run.reason}])


def points_of(
    figures: Mapping[date, Figure],
    periods: Iterable[Period],
    *,
    leaf: IndicatorDefinition | None = None,
) -> list[Point]:
    """Return one point a period, oldest first; without a value where there is none to show."""
    points = []
    for period in periods:
        mark = mark_of(figures.get(period.start), leaf=leaf)
        points.append(
            Point(
                label=title_of(period),
                value=mark.value,
                low=mark.low,
                high=mark.high,
                n=mark.n,
                x=period.start.isoformat(),
                withheld=mark.is_withheld,
            )
        )
    return points


def fitted(marks: Sequence[Mark], *, step: float = 5.0) -> tuple[float, float]:
    """Return ends of one scale on which all these intervals lie, in whole steps within 0 to 100."""
    ends = [
        end
        for mark in marks
        for end in (mark.value, mark.low, mark.high)
        if mark.is_shown and end is not None
    ]
    if not ends:
        return 0.0, 100.0
    low = max(min(ends) // step * step, 0.0)
    high = min(-(-max(ends) // step) * step, 100.0)
    return (low, high) if high > low else (max(low - step, 0.0), min(low + step, 100.0))
