"""What the ground floor knows of a version: its coverage, its weights, its goalposts."""

from collections.abc import Sequence
from datetime import datetime
from statistics import median

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.base.periods import Grain
from sqcore.base.text import in_language
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import LONGER_THAN_WEEKS
from sqcore.indicators.models import SystemVersion, WeightedIndicator
from sqcore.org.queries import local_day
from sqcore.publication.port import Finding, Verdict
from sqcore.publication.queries import LOOK_BACK
from sqcore.weighting.queries import in_force
from sqcore.weighting.robustness import sensitivity_of

GOOD_COVERAGE, POOR_COVERAGE = 0.9, 0.7
FIRM, SHAKY = 0.1, 0.3
"""In which share of draws another unit may be first until the weights decide more than results."""
ALWAYS = 0.95
FEWEST_FIGURES = 6


def _judged(version: SystemVersion) -> SystemVersion | None:
    """A draft is judged by the figures of the version in force."""
    return in_force(version) if version.state == SystemVersion.State.DRAFT else version


class CoverageValidation:
    key = "coverage"
    title = gettext_lazy("Is enough of it measured?")

    def findings(
        self, *, version: SystemVersion, principal: Principal, now: datetime
    ) -> Sequence[Finding]:
        judged = _judged(version)
        runs = EvaluationRun.objects.current().filter(version=judged) if judged else None
        if runs is not None and judged is not None and LONGER_THAN_WEEKS & set(judged.grains):
            runs = runs.exclude(grain=Grain.WEEK)
        run = (
            runs.order_by("-ends_on", "-starts_on").only("starts_on").first()
            if runs is not None
            else None
        )
        if run is None:
            return [Finding(Verdict.UNKNOWN, _("Nothing was evaluated by it yet."))]
        rows = KpiValue.objects.visible_to(principal).filter(
            run=run, kind=KpiValue.Kind.COMPOSITE, margin=""
        )
        figures = list(rows.values_list("status", "coverage"))
        shares = sorted(
            coverage for status, coverage in figures if status == "ok" and coverage is not None
        )
        if not shares:
            return [Finding(Verdict.UNKNOWN, _("No unit has an overall score yet."))]
        share = median(shares)
        verdict = (
            Verdict.GOOD
            if share >= GOOD_COVERAGE
            else Verdict.WATCH
            if share >= POOR_COVERAGE
            else Verdict.BAD
        )
        text = _(
            "In the newest period %(shown)d of %(all)d units have an overall score; in half of them"
            " at least %(share)s %% of the weight was measured."
        ) % {"shown": len(shares), "all": len(figures), "share": f"{100 * share:.0f}"}
        return [Finding(verdict, text, reverse("sqcore:evaluation-quality"))]


class WeightsValidation:
    key = "weights"
    title = gettext_lazy("Do the weights decide who is first?")

    def findings(
        self, *, version: SystemVersion, principal: Principal, now: datetime
    ) -> Sequence[Finding]:
        found = sensitivity_of(version, principal=principal)
        url = reverse("sqcore:weighting-sensitivity", args=[version.pk])
        share = found.robustness.first_changes.value if found.robustness else None
        if share is None:
            text = _("There are not two units whose order could depend on the weights.")
            return [Finding(Verdict.UNKNOWN, text, url)]
        verdict = Verdict.GOOD if share < FIRM else Verdict.WATCH if share < SHAKY else Verdict.BAD
        text = _("With slightly other weights another unit is first in %(share)s %% of the draws.")
        return [Finding(verdict, text % {"share": f"{100 * share:.0f}"}, url)]


class RangeValidation:
    key = "range"
    title = gettext_lazy("Do the goalposts tell units and periods apart?")

    def findings(
        self, *, version: SystemVersion, principal: Principal, now: datetime
    ) -> Sequence[Finding]:
        judged = _judged(version)
        uses = WeightedIndicator.objects.filter(dimension__version=judged, weight__gt=0)
        named = dict(uses.values_list("indicator__code", "indicator__name"))
        rows = (
            KpiValue.objects.visible_to(principal)
            .current()
            .filter(
                run__version=judged,
                kind=KpiValue.Kind.INDICATOR,
                code__in=named,
                margin="",
                status=KpiValue.Status.OK,
                starts_on__gte=local_day(now) - LOOK_BACK,
            )
            .values_list("code", "score")
        )
        scores: dict[str, list[float]] = {}
        for code, score in rows:
            scores.setdefault(code, []).append(score or 0.0)
        if judged is None or not scores:
            return [Finding(Verdict.UNKNOWN, _("Nothing was evaluated by it yet."))]
        stuck = [
            Finding(
                Verdict.WATCH,
                _(
                    "“%(name)s” has %(end)s points in %(share)s %% of its figures: its goalposts"
                    " tell nothing apart."
                )
                % {"name": in_language(named[code]), "end": end, "share": f"{100 * share:.0f}"},
                reverse("sqcore:evaluation-indicator", args=[code]),
            )
            for code in sorted(scores)
            for end in (0, 100)
            if len(scores[code]) >= FEWEST_FIGURES
            and (share := sum(score == end for score in scores[code]) / len(scores[code])) >= ALWAYS
        ]
        text = _("No indicator always sits at an end of its goalposts.")
        return stuck or [Finding(Verdict.GOOD, text)]
