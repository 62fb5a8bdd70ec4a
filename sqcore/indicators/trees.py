"""What a version says as a tree: dimensions in dimensions, indicators in them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from sqcore.base.errors import InvalidInput, Problem
from sqcore.base.text import TranslatedText
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import COMPOSITE
from sqcore.indicators.drafts import as_stored, locked_draft, note, save, weight_of
from sqcore.indicators.models import Dimension, Indicator, SystemVersion, WeightedIndicator
from sqcore.indicators.shapes import Shaped, shape_of


@dataclass(frozen=True)
class Leaf(Shaped):
    """An indicator in a dimension, with the values of 0 and 100 points and what its shape says."""

    indicator: Indicator
    weight: Decimal | float
    worst: float
    best: float


@dataclass(frozen=True)
class Branch:
    """A dimension of a draft, with what is in it."""

    code: str
    name: TranslatedText
    weight: Decimal | float
    indicators: Sequence[Leaf] = ()
    branches: Sequence["Branch"] = ()
    target: float | None = None


def tree_of(version: SystemVersion) -> list[Branch]:
    """Return what a version says as it could be given to `set_tree`."""
    dimensions = list(Dimension.objects.filter(version=version).order_by("position", "id"))
    leaves: dict[int, list[Leaf]] = {}
    for leaf in (
        WeightedIndicator.objects.filter(dimension__version=version)
        .select_related("indicator")
        .order_by("position", "id")
    ):
        given = Leaf(leaf.indicator, leaf.weight, leaf.worst, leaf.best, **shape_of(leaf))
        leaves.setdefault(leaf.dimension_id, []).append(given)

    def below(parent: int | None) -> list[Branch]:
        return [
            Branch(
                each.code,
                each.name,
                each.weight,
                leaves.get(each.pk, []),
                below(each.pk),
                each.target,
            )
            for each in dimensions
            if each.parent_id == parent
        ]

    return below(None)


@transaction.atomic
def set_tree(
    *, version: SystemVersion, tree: Sequence[Branch], by: Principal, now: datetime
) -> None:
    """Replace the dimensions and indicators of a draft by these, weights and goalposts included.

    Whether the weights sum to 1 is asked when it is published. raises: Conflict when it is not a
    draft; InvalidInput for a code used twice, a weight outside 0..1 or goalposts that are equal
    """
    draft = locked_draft(version, by)
    problems = list(_problems_of_codes(tree))
    if problems:
        raise InvalidInput(_("The indicator system has errors."), problems=problems)
    Dimension.objects.filter(version=draft).delete()
    _plant(draft, tree, parent=None)
    note(draft, "tree_set", by=by, now=now)


def _plant(version: SystemVersion, tree: Sequence[Branch], *, parent: Dimension | None) -> None:
    for place, branch in enumerate(tree):
        dimension = Dimension(
            version=version,
            parent=parent,
            code=branch.code,
            name=dict(branch.name),
            weight=weight_of(branch.weight, branch.code),
            target=branch.target,
            position=place,
        )
        save(dimension, _("dimension “%(code)s”") % {"code": branch.code})
        for at, leaf in enumerate(branch.indicators):
            weighted = WeightedIndicator(
                dimension=dimension,
                indicator=leaf.indicator,
                weight=weight_of(leaf.weight, leaf.indicator.code),
                position=at,
                **as_stored(leaf),
            )
            save(weighted, _("indicator “%(code)s”") % {"code": leaf.indicator.code})
        _plant(version, branch.branches, parent=dimension)


def _codes(tree: Iterable[Branch]) -> Iterator[str]:
    for branch in tree:
        yield branch.code
        yield from (leaf.indicator.code for leaf in branch.indicators)
        yield from _codes(branch.branches)


def _problems_of_codes(tree: Sequence[Branch]) -> Iterator[Problem]:
    for code, times in Counter(_codes(tree)).items():
        if times > 1:
            yield Problem(
                _("The code stands for %(times)d things; give each its own.") % {"times": times},
                field=code,
            )
        if code == COMPOSITE:
            yield Problem(_("This code stands for the overall score."), field=code)
