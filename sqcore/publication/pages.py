"""What the pages of the workflow show: six steps, what each has, what is missing, and where."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import mean
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.text import in_language, number
from sqcore.identity.principals import Principal
from sqcore.indicators.conditions import TOP
from sqcore.indicators.definition import source_title
from sqcore.indicators.models import Dimension, SystemVersion, WeightedIndicator
from sqcore.indicators.pages import unit_name
from sqcore.indicators.services import doubts_of_draft, problems_of_draft
from sqcore.publication.forms import QUESTIONS
from sqcore.publication.models import Candidate, Rating
from sqcore.publication.port import VALIDATIONS, Finding, Verdict
from sqcore.publication.queries import (
    Seen,
    candidates_of,
    dimensions_without_goal,
    goals_of,
    goals_without_dimension,
    seen,
)
from sqcore.publication.services import CRITERIA
from sqcore.weighting.queries import origins_of


@dataclass(frozen=True)
class Missing:
    """What a step lacks. `stops`: without it the version cannot be published."""

    text: str
    stops: bool = False


@dataclass(frozen=True)
class Step:
    """One of the six: what it is for, what it has, what is missing, where it is done."""

    key: str
    title: str
    about: str
    has: tuple[str, ...]
    missing: tuple[Missing, ...]
    url: str
    verb: str
    findings: tuple[tuple[str, tuple[Finding, ...]], ...] = ()

    @property
    def state(self) -> str:
        if any(each.stops for each in self.missing):
            return "stops"
        if self.missing:
            return "open"
        return "done" if self.has or self._is_judged else "empty"

    @property
    def _is_judged(self) -> bool:
        told = (each.verdict for _title, findings in self.findings for each in findings)
        return any(verdict != Verdict.UNKNOWN for verdict in told)


def steps_of(version: SystemVersion, *, principal: Principal, now: datetime) -> list[Step]:
    """Return the six steps of a version. A published one lacks nothing any more: its steps say
    how it came about."""
    is_draft = version.state == SystemVersion.State.DRAFT
    steps = [
        _goals(version, principal),
        _screening(version, principal),
        *_tree(version, is_draft=is_draft),
        _validation(version, principal, now),
        _publication(version, is_draft=is_draft),
    ]
    if is_draft:
        return steps
    return [Step(s.key, s.title, s.about, s.has, (), s.url, s.verb, s.findings) for s in steps]


def _at(name: str, version: SystemVersion) -> str:
    return reverse(f"sqcore:{name}", args=[version.system.code, version.number])


def _goals(version: SystemVersion, principal: Principal) -> Step:
    goals = goals_of(version, principal=principal)
    missing = [] if goals else [Missing(_("No goal is written down."))]
    missing += [
        Missing(_("No dimension serves the goal “%(goal)s”.") % {"goal": goal})
        for goal in goals_without_dimension(version, goals)
    ]
    missing += [
        Missing(_("No goal asks for the dimension “%(name)s”.") % {"name": dimension})
        for dimension in (dimensions_without_goal(version, goals) if goals else ())
    ]
    n = len(goals)
    has = (ngettext("%(n)d goal", "%(n)d goals", n) % {"n": n},) if goals else ()
    return Step(
        "goals",
        _("Goals"),
        _("What the system is to bring to light, and which dimension answers it."),
        has,
        tuple(missing),
        _at("publication-goals", version),
        _("Goals"),
    )


def _screening(version: SystemVersion, principal: Principal) -> Step:
    found = candidates_of(version, principal=principal)
    kept = [each for each in found if each.decision == Candidate.Decision.KEEP]
    dropped = [each for each in found if each.decision == Candidate.Decision.DROP]
    undecided = len(found) - len(kept) - len(dropped)
    uses = WeightedIndicator.objects.filter(dimension__version=version)
    placed = dict(uses.order_by("position", "id").values_list("indicator_id", "indicator__name"))
    screened = {each.indicator_id for each in found}
    missing = []
    if undecided:
        text = ngettext(
            "%(n)d candidate is not decided.", "%(n)d candidates are not decided.", undecided
        )
        missing.append(Missing(text % {"n": undecided}))
    if out := [in_language(name) for pk, name in placed.items() if pk not in screened]:
        text = ngettext(
            "%(n)d indicator of it was not screened: %(names)s",
            "%(n)d indicators of it were not screened: %(names)s",
            len(out),
        )
        names = _("; ").join(out[:5]) + (" …" if len(out) > 5 else "")
        missing.append(Missing(text % {"n": len(out), "names": names}))
    missing += [
        Missing(_("“%(name)s” was dropped, and stands in it.") % {"name": each})
        for each in dropped
        if each.indicator_id in placed
    ]
    missing += [
        Missing(_("“%(name)s” was kept, and does not stand in it.") % {"name": each})
        for each in kept
        if each.indicator_id not in placed
    ]
    said = ngettext(
        "%(all)d candidate: %(kept)d kept, %(dropped)d dropped",
        "%(all)d candidates: %(kept)d kept, %(dropped)d dropped",
        len(found),
    )
    numbers = {"all": len(found), "kept": len(kept), "dropped": len(dropped)}
    return Step(
        "screening",
        _("Screening"),
        _("Which indicators are important, operable, consistent, complete and dynamic."),
        (said % numbers,) if found else (),
        tuple(missing),
        _at("publication-screening", version),
        _("Screening"),
    )


def _tree(version: SystemVersion, *, is_draft: bool) -> list[Step]:
    dimensions = set(Dimension.objects.filter(version=version).values_list("code", flat=True))
    indicators = WeightedIndicator.objects.filter(dimension__version=version).count()
    problems = problems_of_draft(version) if is_draft else []
    groups = {TOP, *dimensions}
    of_weights = [Missing(p.reason, stops=True) for p in problems if p.field in groups]
    of_rest = [Missing(str(p), stops=True) for p in problems if p.field not in groups]
    if is_draft:
        of_rest += [Missing(str(doubt)) for doubt in doubts_of_draft(version)]
    has = _("%(dimensions)d dimensions with %(indicators)d indicators") % {
        "dimensions": len(dimensions),
        "indicators": indicators,
    }
    origins = [origin for origin in origins_of(version) if origin.method]
    said = [
        _("%(group)s: %(method)s") % {"group": origin.group.name, "method": origin.title}
        for origin in origins
    ]
    if indicators and not origins:
        of_weights.append(Missing(_("Nobody wrote down how the weights came about.")))
    weights = reverse("sqcore:weighting-version", args=[version.pk])
    about = _(
        "What each indicator measures, in which unit, and which values have 0 and 100 points."
    )
    return [
        Step(
            "definition",
            _("Definition and quantification"),
            about,
            (has,) if indicators else (),
            tuple(of_rest),
            _at("indicators-version", version),
            _("Dimensions and indicators"),
        ),
        Step(
            "weights",
            _("Weights"),
            _("How much each part counts, and how that was found."),
            tuple(said),
            tuple(of_weights),
            weights,
            _("Weights"),
        ),
    ]


def _validation(version: SystemVersion, principal: Principal, now: datetime) -> Step:
    found = tuple(
        (str(each.title), tuple(each.findings(version=version, principal=principal, now=now)))
        for each in VALIDATIONS
    )
    told = [finding for _title, findings in found for finding in findings]
    missing = [Missing(each.text) for each in told if each.verdict in (Verdict.BAD, Verdict.WATCH)]
    return Step(
        "validation",
        _("Validation"),
        _("Whether it measures what it should: judged by the figures of the version in force."),
        (),
        tuple(missing),
        reverse("sqcore:weighting-sensitivity", args=[version.pk]),
        _("Would another unit be first?"),
        tuple((title, findings) for title, findings in found if findings),
    )


def _publication(version: SystemVersion, *, is_draft: bool) -> Step:
    about = _("From its publication on it never changes; every closed period is evaluated by it.")
    title = _("Publication and monitoring")
    if is_draft:
        missing = (Missing(_("It is a draft and counts for nothing yet.")),)
        url, verb = _at("indicators-publish", version), _("Check and publish")
        return Step("publication", title, about, (), missing, url, verb)
    has = [_("Published"), _("Charts and signals watch its indicators.")]
    if version.state == SystemVersion.State.RETIRED:
        has = [_("Published, and replaced by a later version")]
    url = reverse("sqcore:evaluation-quality")
    return Step("publication", title, about, tuple(has), (), url, _("Results"))


@dataclass(frozen=True)
class CandidateRow:
    """A candidate with what people hold of it and what published figures say.

    places: of what was kept and stands nowhere yet in a draft, the dimensions and where it is added
    """

    candidate: Candidate
    source: str
    unit: str
    raters: int
    means: tuple[tuple[str | Promise, str], ...]
    seen: Seen | None
    alike: tuple[tuple[str, str], ...]
    places: tuple[tuple[str, str], ...] = ()

    @property
    def total(self) -> str:
        """The mean over people and criteria."""
        found = [getattr(r, name) for r in self.candidate.ratings.all() for name in CRITERIA]
        return number(mean(found), 1) if found else ""


def candidate_rows(
    version: SystemVersion, *, principal: Principal, now: datetime
) -> list[CandidateRow]:
    """Return the candidates with what is known of them. A few queries, whatever their number."""
    found = candidates_of(version, principal=principal)
    indicators = [each.indicator for each in found if each.indicator]
    known = seen(indicators, principal=principal, now=now)
    names = {each.code: in_language(each.name) for each in indicators}
    waiting = _kept_elsewhere(version, found)
    dimensions = version.dimensions.order_by("position", "code") if waiting else ()
    places = [(each.code, str(each)) for each in dimensions]
    return [
        _row(each, known, names, _places(version, places, waiting.get(each.pk, "")))
        for each in found
    ]


def _kept_elsewhere(version: SystemVersion, found: Sequence[Candidate]) -> dict[int, str]:
    """Return the codes of what was kept and does not stand in a draft, by candidate."""
    kept = {
        each.pk: each.indicator.code
        for each in found
        if each.decision == Candidate.Decision.KEEP and each.indicator
    }
    if version.state != SystemVersion.State.DRAFT or not kept:
        return {}
    uses = WeightedIndicator.objects.filter(dimension__version=version)
    placed = set(uses.values_list("indicator__code", flat=True))
    return {pk: code for pk, code in kept.items() if code not in placed}


def _places(
    version: SystemVersion, dimensions: Sequence[tuple[str, str]], indicator: str
) -> tuple[tuple[str, str], ...]:
    if not indicator:
        return ()
    of = (version.system.code, version.number)
    asked = urlencode({"indicator": indicator})
    return tuple(
        (name, f"{reverse('sqcore:indicators-place', args=[*of, code])}?{asked}")
        for code, name in dimensions
    )


def _row(
    candidate: Candidate,
    known: dict[str, Seen],
    names: dict[str, str],
    places: tuple[tuple[str, str], ...],
) -> CandidateRow:
    of = candidate.indicator
    ratings = list(candidate.ratings.all())
    told = known.get(of.code) if of else None
    return CandidateRow(
        candidate=candidate,
        source=(_("Formula") if of.formula else source_title(of.source)) if of else "",
        unit=unit_name(of.unit_of_measure) if of else "",
        raters=len(ratings),
        means=tuple((QUESTIONS[name][0], _mean(ratings, name)) for name in CRITERIA),
        seen=told,
        alike=tuple(
            (names.get(code, code), number(r, 2)) for code, r in (told.alike if told else ())
        ),
        places=places,
    )


def _mean(ratings: Sequence[Rating], name: str) -> str:
    return number(mean(getattr(each, name) for each in ratings), 1) if ratings else "–"
