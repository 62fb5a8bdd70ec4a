"""The words of weighing: margins, what each figure means, what has to be said beside it."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from sqcore.base.text import number
from sqcore.stats.results import MethodStatus
from surveys.representation.margins import Skipped

MARGINS: Mapping[str, str | Promise] = {
    "unit": gettext_lazy("Units"),
    "channel": gettext_lazy("Channels"),
    "segment": gettext_lazy("Segments"),
    "unit+channel": gettext_lazy("Units by channel"),
    "unit+segment": gettext_lazy("Units by segment"),
}
SKIPPED: Mapping[str, str | Promise] = {
    Skipped.ONE_CATEGORY: gettext_lazy(
        "%(margin)s: not weighed by, since all answers that can be told apart are of one category."
    ),
    Skipped.TOO_FEW: gettext_lazy(
        "%(margin)s: not weighed by, since too few people are left beside its categories."
    ),
}
STATUSES: Mapping[str, str | Promise] = {
    MethodStatus.INSUFFICIENT_N: gettext_lazy(
        "Too few people answered in this period: fewer than 30, or so few that they would be "
        "recognised."
    ),
    MethodStatus.NOT_APPLICABLE: gettext_lazy(
        "The figures of the population cannot be compared with these answers: no margin has two "
        "categories that enough people answered from."
    ),
}
NAMED = 5
"""So many cells without answers are named."""
COSTLY = 1.5
"""From this design effect on it is said how much the weights cost."""


def sentence(status: str, n: int | None) -> str:
    """Return what a status says to people."""
    if status == MethodStatus.OK:
        count = n or 0
        return ngettext(
            "Weighed the answers of %(n)s person.", "Weighed the answers of %(n)s people.", count
        ) % {"n": number(count, 0)}
    return str(STATUSES[status])


def remarks(found: Mapping[str, Any]) -> Iterator[str]:
    """Say what a reader of weighed figures must know, the gravest first."""
    if not found["converged"] and found["off"] > 0:
        yield _(
            "The margins could not be met fully without very large weights: a share is still off "
            "by up to %(off)s %%."
        ) % {"off": number(100 * found["off"], 1)}
    if found["trimmed"] > 0:
        yield _(
            "%(share)s %% of the answers have the smallest or the largest weight that is allowed "
            "(0.3 and 3 times the mean): the sample is far from the population there."
        ) % {"share": number(100 * found["trimmed"], 0)}
    for margin in found["margins"]:
        yield from _of_margin(margin)
    for each in found["skipped"]:
        yield str(SKIPPED[each["reason"]]) % {"margin": MARGINS[each["margin"]]}
    if found["deff"] >= COSTLY:
        yield _(
            "Weighing costs much here: the answers tell as much as %(effective)s equal ones would."
        ) % {"effective": number(found["effective"], 0)}


def _of_margin(margin: Mapping[str, Any]) -> Iterator[str]:
    name = MARGINS[margin["margin"]]
    if empty := margin.get("unanswered"):
        cells = ", ".join(code.replace("+", " × ") for code in empty[:NAMED])
        yield ngettext(
            "%(margin)s: nobody answered from %(count)s cell with customers (%(cells)s); the "
            "smallest cells are weighed together with it.",
            "%(margin)s: nobody answered from %(count)s cells with customers (%(cells)s); the "
            "smallest cells are weighed together with them.",
            len(empty),
        ) % {
            "margin": name,
            "count": number(len(empty), 0),
            "cells": cells + (", …" if len(empty) > NAMED else ""),
        }
    for category in margin["categories"]:
        if not category["codes"]:
            yield _(
                "%(margin)s: %(share)s %% of the answers do not say where they belong, or belong "
                "to nothing that the population names; they keep their share."
            ) % {"margin": name, "share": number(100 * category["sample"], 1)}
        elif not category["people"]:
            yield _(
                "%(margin)s: nobody answered from %(share)s %% of the population; that share went "
                "to the other categories."
            ) % {"margin": name, "share": number(100 * category["population"], 1)}
        elif len(category["codes"]) > 1:
            yield _("%(margin)s: categories with few or no answers are put together.") % {
                "margin": name
            }
