"""Reading what competitors and the market reach."""

from collections.abc import Iterable
from datetime import date

from django.db.models import Count, Max, Q, QuerySet

from sqcore.base.errors import NotFound
from sqcore.comparators.models import Comparator, ComparatorValue, ForeignName
from sqcore.identity.principals import Principal
from sqcore.indicators.models import Indicator


def comparators_of(principal: Principal) -> QuerySet[Comparator]:
    """Return whom this person compares with, in the order of their codes."""
    return Comparator.objects.visible_to(principal).order_by("code")


def with_counts(principal: Principal) -> QuerySet[Comparator]:
    """Return whom this person compares with, each with the number of its current `values_held` and
    the last day that any of them speaks of, `known_until`."""
    held = Q(values__superseded_at__isnull=True, values__withdrawn_at__isnull=True)
    return comparators_of(principal).annotate(
        values_held=Count("values", filter=held), known_until=Max("values__ends_on", filter=held)
    )


def comparator_named(principal: Principal, code: str) -> Comparator:
    """Return the comparator of this code. raises: NotFound"""
    found = Comparator.objects.visible_to(principal).filter(code=code).first()
    if found is None:
        raise NotFound(f"There is no comparator “{code[:50]}”.")
    return found


def values_listed(
    principal: Principal,
    *,
    indicator: str = "",
    comparator: str = "",
    kind: str = "",
    on: date | None = None,
) -> QuerySet[ComparatorValue]:
    """Return the newest revisions, withdrawn ones too, the latest days first; `on` keeps what
    speaks of this day."""
    found = ComparatorValue.objects.visible_to(principal).current()
    if indicator:
        found = found.filter(indicator__code=indicator)
    if comparator:
        found = found.filter(comparator__code=comparator)
    if kind:
        found = found.filter(comparator__kind=kind)
    if on is not None:
        found = found.filter(starts_on__lte=on, ends_on__gt=on)
    return found.select_related("comparator", "indicator").order_by(
        "-ends_on", "-starts_on", "indicator__code", "comparator__code", "id"
    )


def value_of(principal: Principal, value_id: int) -> ComparatorValue:
    """Return one value, of whichever revision. raises: NotFound"""
    found = ComparatorValue.objects.visible_to(principal).filter(pk=value_id)
    value = found.select_related("comparator", "indicator").first()
    if value is None:
        raise NotFound("There is no such value.")
    return value


def revisions_of(value: ComparatorValue) -> list[ComparatorValue]:
    """Return all revisions of the same thing, the newest first. One query."""
    found = ComparatorValue.objects.filter(
        comparator=value.comparator_id,
        indicator=value.indicator_id,
        starts_on=value.starts_on,
        ends_on=value.ends_on,
    )
    return list(found.select_related("comparator", "indicator").order_by("-revision"))


def values_about(
    principal: Principal, codes: Iterable[str], *, first: date, end: date
) -> list[ComparatorValue]:
    """Return what can be compared with these indicators in [first, end), by comparator and time.

    One query.
    """
    found = ComparatorValue.objects.visible_to(principal).in_force().about(first, end)
    return list(
        found.filter(indicator__code__in=sorted(set(codes)))
        .select_related("comparator", "indicator")
        .order_by("comparator__code", "indicator__code", "starts_on", "ends_on", "id")
    )


def indicators_with_values(principal: Principal) -> list[Indicator]:
    """Return the indicators that anything is compared with, by code. One query."""
    held = ComparatorValue.objects.visible_to(principal).current()
    found = Indicator.objects.filter(pk__in=held.values("indicator"))
    return list(found.order_by("code"))


def foreign_names() -> QuerySet[ForeignName]:
    return ForeignName.objects.select_related("indicator", "comparator").order_by(
        "indicator__code", "comparator__code", "text", "id"
    )
