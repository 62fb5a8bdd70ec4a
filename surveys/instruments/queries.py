"""Reading questionnaires: what can be put to people, and what a version asks."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Count, OuterRef, QuerySet, Subquery

from sqcore.base.errors import NotFound, NotPermitted
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from surveys.instruments.models import InstrumentVersion, Item


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
