"""Published scores of the units at the end of the tree, for those who weigh parts by them."""

from collections.abc import Sequence

from django.db.models import Q

from sqcore.base.periods import Grain, Period
from sqcore.base.text import in_language
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import COMPOSITE, LONGER_THAN_WEEKS
from sqcore.indicators.models import SystemVersion
from sqcore.org.queries import fiscal_start
from sqcore.weighting.port import Part, ScoredUnit, UnitScores


class CurrentScores:
    """The current runs of a version; see `sqcore.weighting.port.PublishedScores`."""

    def periods(self, *, version: SystemVersion) -> list[Period]:
        runs = EvaluationRun.objects.current().filter(version=version)
        if LONGER_THAN_WEEKS & set(version.grains):
            # Weeks beside months have no opinions in them, and no overall score.
            runs = runs.exclude(grain=Grain.WEEK)
        begins = fiscal_start()
        found = runs.order_by("-ends_on", "-starts_on", "id").values_list("starts_on", "grain")
        return [Period(start, Grain(grain), begins) for start, grain in found]

    def scores(
        self, *, version: SystemVersion, period: Period, parts: Sequence[Part], principal: Principal
    ) -> UnitScores | None:
        run = (
            EvaluationRun.objects.current()
            .filter(version=version, grain=period.grain, starts_on=period.start)
            .defer("definition", "policy", "libraries")
            .first()
        )
        if run is None:
            return None
        above = {parent for parent in run.tree.values() if parent is not None}
        ends = [int(unit) for unit in run.tree if int(unit) not in above]
        kinds = {True: KpiValue.Kind.DIMENSION, False: KpiValue.Kind.INDICATOR}
        wanted = Q(kind=KpiValue.Kind.COMPOSITE, code=COMPOSITE)
        for is_dimension, kind in kinds.items():
            codes = [part.code for part in parts if part.is_dimension is is_dimension]
            if codes:
                wanted |= Q(kind=kind, code__in=codes)
        rows = (
            KpiValue.objects.visible_to(principal)
            .filter(wanted, run=run, margin="", unit__in=ends, status=KpiValue.Status.OK)
            .order_by("unit__code", "id")
            .values_list("unit__code", "unit__name", "code", "score")
        )
        names: dict[str, str] = {}
        shown: dict[str, dict[str, float | None]] = {}
        for unit, name, code, score in rows:
            names[unit] = in_language(name)
            shown.setdefault(unit, {})[code] = score
        units = tuple(
            ScoredUnit(
                unit, names[unit], COMPOSITE in own, tuple(own.get(part.code) for part in parts)
            )
            for unit, own in shown.items()
        )
        return UnitScores(period, run.pk, run.revision, units)
