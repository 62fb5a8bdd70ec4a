"""What encounters say of the process: work done again, and where customers' time goes."""

from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np
from django.urls import reverse
from django.utils.translation import gettext as _

from sqcore.base.text import number
from sqcore.encounters.process import Reading, stages_named
from sqcore.org.queries import organisation
from sqcore.reports.evidence import Effect, Evidence, Measured, Question
from sqcore.reports.queries import Reworked, process_beside, reworked
from sqcore.reports.rules import SHARE_MATTERS, direction
from sqcore.stats.differences import Bounded, difference
from sqcore.stats.process import FEWEST_CASES
from sqcore.stats.proportions import newcombe


@dataclass(frozen=True)
class WorkDoneAgain:
    """How often a stage has to be done again, here and at the others."""

    key: str = "encounters.rework"
    cause: str = "process"
    method: int = 1

    @property
    def title(self) -> str:
        return _("Work done again")

    def speak(self, question: Question) -> Evidence | None:
        own, others = reworked(question)
        if not own.n and not others.n:
            return None
        smallest = organisation().smallest_group
        if own.n < smallest:
            return _not_enough(question, _("Too few encounters in this period."))
        if others.n < smallest:
            why = _("You see no encounters of other units to compare them with.")
            return _not_enough(question, f"{_again(own)} {why}")
        found = newcombe([own.again], [own.n], [others.again], [others.n])
        value = own.again / own.n - others.again / others.n
        name = _("share done again, more than at the others")
        effect = Effect(
            name, Measured.SHARE, value, float(found.low[0]), float(found.high[0]),
            SHARE_MATTERS, own.n, "encounters",
        )  # fmt: skip
        elsewhere = _("Elsewhere it is %(share)s %% of %(n)s.") % {
            "share": number(100 * others.again / others.n, 1),
            "n": number(others.n, 0),
        }
        return _told(question, f"{_again(own)} {elsewhere}", effect)


def _again(own: Reworked) -> str:
    return _("In %(share)s %% of %(n)s encounters a stage was done again.") % {
        "share": number(100 * own.again / own.n, 1),
        "n": number(own.n, 0),
    }


def _map_url(question: Question) -> str:
    asked = {"unit": question.unit.code, "period": question.period.key}
    return f"{reverse('sqcore:encounters-process')}?{urlencode(asked)}"


def _told(question: Question, said: str, effect: Effect) -> Evidence:
    return Evidence(
        direction(effect),
        said,
        effect,
        since=question.period.start,
        until=question.period.end,
        url=_map_url(question),
        url_title=_("The process map"),
    )


def _not_enough(question: Question, why: str) -> Evidence:
    return Evidence.not_enough(why, url=_map_url(question), url_title=_("The process map"))


Stretch = tuple[str, str]
"""A stage (its code, "") or the wait between two (their codes)."""


@dataclass(frozen=True)
class BottleneckBeside:
    """Where most of the customers' time goes, and whether more of it goes there than elsewhere."""

    key: str = "encounters.bottleneck"
    cause: str = "process"
    method: int = 1

    @property
    def title(self) -> str:
        return _("Where customers' time goes")

    def speak(self, question: Question) -> Evidence | None:
        here, others = process_beside(question)
        if not here.found.cases and not others.found.cases:
            return None
        most = here.bottleneck
        if here.found.cases < FEWEST_CASES or most is None:
            return _not_enough(question, _("Too few encounters with stages in this period."))
        where = _stretch(here, most.stage, most.edge)
        elsewhere = _shares(others).get(where)
        if elsewhere is None:
            why = _("You see too few encounters of other units that go this way.")
            return _not_enough(question, why)
        found = difference(Bounded(most.share, most.low, most.high), elsewhere)
        name = _("share of the customers' time, more than at the others")
        effect = Effect(name, Measured.SHARE, *found, SHARE_MATTERS, most.cases, "encounters")
        said = _(
            "Most of the customers' time goes into “%(where)s”: %(own)s %% here, %(usual)s %% at "
            "the others."
        ) % {
            "where": _named(where),
            "own": number(100 * most.share, 0),
            "usual": number(100 * elsewhere.value, 0),
        }
        return _told(question, said, effect)


def _stretch(reading: Reading, stage: int | None, edge: int | None) -> Stretch:
    if stage is not None:
        return reading.code(stage), ""
    edges = reading.found.edges
    at = edge or 0
    return f"{reading.code(int(edges.source[at]))} >", reading.code(int(edges.target[at]))


def _shares(reading: Reading) -> dict[Stretch, Bounded]:
    """Return the shares of the customers' time that have an interval, of enough encounters."""
    found = reading.found
    if found.cases < FEWEST_CASES:
        return {}
    stages = {_stretch(reading, at, None): at for at in range(len(found.stages.n))}
    waits = {_stretch(reading, None, at): at for at in range(len(found.edges.n))}
    shares = {}
    for times, places in ((found.stages.handling, stages), (found.edges.wait, waits)):
        for where, at in places.items():
            part = (times.share[at], times.share_low[at], times.share_high[at])
            if np.isfinite(part).all() and times.cases[at] >= reading.smallest_group:
                shares[where] = Bounded(*(float(each) for each in part))
    return shares


def _named(where: Stretch) -> str:
    first, second = where[0].removesuffix(" >"), where[1]
    names = stages_named([code for code in (first, second) if code])
    said = [str(names.get(code, code)) for code in (first, second)]
    if not where[0].endswith(" >"):
        return said[0]
    if not first:
        return _("waiting for %(stage)s") % {"stage": said[1]}
    return _("waiting from %(first)s to %(second)s") % {"first": said[0], "second": said[1]}
