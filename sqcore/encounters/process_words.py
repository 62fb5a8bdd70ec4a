"""The process map in words: names of stages and moves, the bottleneck, lengths of time."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from sqcore.base.text import in_language, number
from sqcore.encounters.models import Stage
from sqcore.encounters.process import Reading
from sqcore.stats.process import FEWEST_CASES, Bottleneck

SECONDS = {"min": 60.0, "h": 3600.0, "d": 86_400.0}


@dataclass(frozen=True)
class Names:
    """The names of stages, waits and phases in the reader's language."""

    known: Mapping[str, Stage]

    def stage(self, code: str) -> str:
        return in_language(self.known[code].name) if code in self.known else code

    def phase(self, code: str) -> Stage.Phase:
        return Stage.Phase(self.known[code].phase) if code in self.known else Stage.Phase.EXECUTION

    def move(self, reading: Reading, edge: int) -> str:
        edges, found = reading.found.edges, reading.found
        source, target = int(edges.source[edge]), int(edges.target[edge])
        if source == found.arrival:
            return _("Arrival → %(stage)s") % {"stage": self.stage(reading.code(target))}
        if target == found.leaving:
            return _("%(stage)s → leaving") % {"stage": self.stage(reading.code(source))}
        return _("%(source)s → %(target)s") % {
            "source": self.stage(reading.code(source)),
            "target": self.stage(reading.code(target)),
        }

    def of(self, reading: Reading, one: Bottleneck) -> str:
        if one.stage is not None:
            return self.stage(reading.code(one.stage))
        return self.move(reading, one.edge or 0)

    def stretch(self, reading: Reading, most: Bottleneck) -> str:
        """A stage or a wait inside a sentence."""
        if most.stage is not None:
            return _("the stage “%(stage)s”") % {"stage": self.stage(reading.code(most.stage))}
        edges, edge = reading.found.edges, most.edge or 0
        source, target = int(edges.source[edge]), int(edges.target[edge])
        to = self.stage(reading.code(target))
        if source == reading.found.arrival:
            return _("the wait before “%(stage)s”") % {"stage": to}
        parts = {"source": self.stage(reading.code(source)), "target": to}
        if edges.untimed[edge] == edges.n[edge]:
            return _("the time from “%(source)s” to “%(target)s”") % parts
        return _("the wait between “%(source)s” and “%(target)s”") % parts


def bottleneck_sentence(reading: Reading, names: Names) -> str:
    """Say where most of the time goes, with n and interval, or that it is not clear."""
    most = reading.bottleneck
    if most is None:
        return _("No time is recorded, so that there is no bottleneck to find.")
    said = {
        "most": names.stretch(reading, most),
        "share": percent(most.share, 0),
        "interval": _interval(most),
        "n": number(most.cases, 0),
    }
    if most.is_clear:
        return (
            _(
                "The bottleneck is %(most)s: %(share)s of all the time that customers spend "
                "(95 %% interval %(interval)s), in %(n)s encounters."
            )
            % said
        )
    if reading.found.cases < FEWEST_CASES or most.second is None:
        return (
            _(
                "Most of the time goes on %(most)s, %(share)s in %(n)s encounters, but these are "
                "too few to call it the bottleneck."
            )
            % said
        )
    return _(
        "No clear bottleneck: %(most)s takes %(share)s of the time that customers spend "
        "(95 %% interval %(interval)s), %(second)s takes %(second_share)s (%(second_interval)s)."
    ) % {
        **said,
        "second": names.stretch(reading, most.second),
        "second_share": percent(most.second.share, 0),
        "second_interval": _interval(most.second),
    }


def _interval(one: Bottleneck) -> str:
    if not one.low > 0:
        return _("not known")
    return f"{number(100 * one.low, 0)} – {number(100 * one.high, 0)} %"


def percent(share: float, decimals: int) -> str:
    return f"{number(100 * share, decimals)} %"


def duration(seconds: float) -> str:
    """Return a time in the unit in which it is easily read: 45 s, 8.2 min, 3.4 h, 12 d."""
    if seconds != seconds:
        return ""
    size, text = abs(seconds), _("%(n)s s")
    amount = seconds
    for unit, from_s, named in (
        ("min", 90.0, _("%(n)s min")),
        ("h", 5_400.0, _("%(n)s h")),
        ("d", 129_600.0, _("%(n)s d")),
    ):
        if size >= from_s:
            amount, text = seconds / SECONDS[unit], named
    return text % {"n": number(amount, 1 if 0 < abs(amount) < 10 else 0)}
