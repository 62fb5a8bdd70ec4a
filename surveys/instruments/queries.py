"""Reading questionnaires: what can be put to people, and what a version asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery

from sqcore.base.errors import InvalidInput, NotFound, NotPermitted, Problem
from sqcore.base.text import TranslatedText
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.models import Indicator
from sqcore.indicators.starters import StarterMeasure
from surveys.instruments.models import InstrumentVersion, Item

OUTCOME: TranslatedText = {"en": "Outcome", "zh-hans": "服务结果"}


@dataclass(frozen=True)
class CodebookRow:
    """One question as the codebook shows it."""

    item: Item
    dimension: Mapping[str, str]
    wordings: list[tuple[str, str]]

    @property
    def scale(self) -> str:
        return f"{self.item.low}–{self.item.high}" if self.item.is_scored else ""


def usable_versions() -> QuerySet[InstrumentVersion]:
    """Return the newest published version of every questionnaire, by code."""
    newest = (
        InstrumentVersion.objects.published()
        .filter(instrument=OuterRef("instrument"))
        .order_by("-number")
        .values("pk")[:1]
    )
    return (
        InstrumentVersion.objects.filter(pk=Subquery(newest))
        .select_related("instrument")
        .order_by("instrument__code")
    )


def versions_for(principal: Principal) -> QuerySet[InstrumentVersion]:
    """Return every version with the number of its questions. raises: NotPermitted"""
    if not (principal.may(Permission.MANAGE_SURVEYS) or principal.may(Permission.VIEW_RESULTS)):
        raise NotPermitted("Questionnaires are for who sees results.")
    versions = InstrumentVersion.objects.select_related("instrument")
    return versions.annotate(size=Count("items")).order_by("instrument__code", "-number")


def version_named(code: str, number: int, *, principal: Principal) -> InstrumentVersion:
    """Return a version. raises: NotFound, NotPermitted"""
    found = versions_for(principal).filter(instrument__code=code, number=number).first()
    if found is None:
        raise NotFound("There is no such version.")
    return found


def codebook_rows(version: InstrumentVersion) -> list[CodebookRow]:
    """Return the questions of a version in order, with their words in all its languages."""
    names = {dimension["code"]: dimension["name"] for dimension in version.dimensions}
    return [
        CodebookRow(
            item=item,
            dimension=names.get(item.dimension, {}),
            wordings=[(code, item.text.get(code, "")) for code in version.languages],
        )
        for item in version.items.order_by("position")
    ]


def is_judged(instrument: str) -> bool:
    """True when an indicator reads the answers to this questionnaire."""
    return Indicator.objects.filter(source="surveys", parameters__instrument=instrument).exists()


def is_one_unjudged() -> bool:
    """True when no indicator reads the answers to a questionnaire that judges the service."""
    judging = [Item.Role.PERCEPTION, Item.Role.OUTCOME]
    asks = Exists(Item.objects.filter(version=OuterRef("pk"), role__in=judging))
    codes = usable_versions().filter(asks).values_list("instrument__code", flat=True)
    return any(not is_judged(code) for code in codes)


def starter_measures(
    version: InstrumentVersion,
    *,
    dimensions: Sequence[str] = (),
    outcomes: Sequence[str] = (),
) -> list[StarterMeasure]:
    """Return indicators for the dimensions and the outcome items of a questionnaire (or these
    alone), from the lowest answer (0 points) to the highest (100).

    raises: InvalidInput naming what the questionnaire does not have
    """
    items = list(version.items.order_by("position"))
    ends: dict[str, tuple[int, int]] = {}
    for item in items:
        if item.dimension and item.kind == Item.Kind.SCALE and item.role == Item.Role.PERCEPTION:
            low, high = ends.get(item.dimension, (item.low, item.high))
            ends[item.dimension] = min(low, item.low), max(high, item.high)
    results = {i.code: i for i in items if i.is_scored and i.role == Item.Role.OUTCOME}
    unknown = [
        *(Problem("is no dimension of it", field=code) for code in dimensions if code not in ends),
        *(Problem("is no outcome of it", field=code) for code in outcomes if code not in results),
    ]
    if unknown:
        raise InvalidInput("The questionnaire cannot be judged so.", problems=unknown)
    code = version.instrument.code
    names = {dimension["code"]: dimension["name"] for dimension in version.dimensions}
    found = [
        _measure(code, dimension, names[dimension], dimension, names[dimension], *ends[dimension])
        for dimension in dimensions or ends
    ]
    return found + [_outcome(code, results[outcome]) for outcome in outcomes or results]


def _measure(
    instrument: str,
    dimension: str,
    name: TranslatedText,
    group: str,
    group_name: TranslatedText,
    low: int,
    high: int,
) -> StarterMeasure:
    return StarterMeasure(
        code=f"{instrument}-{dimension}"[:80],
        name=name,
        group=group,
        group_name=group_name,
        source="surveys",
        parameters={"instrument": instrument, "measure": f"perception:{dimension}"},
        statistic=Indicator.Statistic.MEAN.value,
        worst=low,
        best=high,
        unit_of_measure="points",
    )


def _outcome(instrument: str, item: Item) -> StarterMeasure:
    is_nps = item.kind == Item.Kind.NPS
    statistic = Indicator.Statistic.NPS if is_nps else Indicator.Statistic.MEAN
    return StarterMeasure(
        code=f"{instrument}-{item.code}"[:80],
        name=item.text,
        group="outcome",
        group_name=OUTCOME,
        source="surveys",
        parameters={
            "instrument": instrument,
            "measure": f"{'nps' if is_nps else 'item'}:{item.code}",
        },
        statistic=statistic.value,
        worst=-100 if is_nps else item.low,
        best=100 if is_nps else item.high,
        unit_of_measure="points",
    )
