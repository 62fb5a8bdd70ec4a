"""The words of analyses: of groups and periods over REST, and why there is no number."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from sqcore.base.periods import Grain
from sqcore.stats.results import MethodStatus

OVERALL = "overall"
MARGINS = ((OVERALL, "All answers"), ("channel", "One channel"), ("segment", "One segment"))
GRAINS = ((Grain.QUARTER.value, "Quarter"), (Grain.YEAR.value, "Year"))

WHY_NOT: Mapping[str, str | Promise] = {
    MethodStatus.INSUFFICIENT_N: _(
        "Too few people answered, or so few others beside them that these would be recognised."
    ),
    MethodStatus.ZERO_VARIANCE: _("Everybody gave the same answers: there is nothing to compare."),
    MethodStatus.SINGULAR: _(
        "Some questions were answered exactly alike, so that they cannot be told apart."
    ),
    MethodStatus.NOT_CONNECTED: _("Some questions were never answered by the same people."),
    MethodStatus.TOO_SHORT: _("There are not enough periods yet."),
    MethodStatus.IMPROPER: _("The best solution is an impossible one: the model does not hold."),
    MethodStatus.NOT_CONVERGED: _("No best solution was found."),
    MethodStatus.NOT_APPLICABLE: _("The questionnaire does not ask what this would need."),
}


def sentence(status: str, n: int | None) -> str:
    """Return what a status says to people.

    >>> str(sentence("zero_variance", 40))
    'Everybody gave the same answers: there is nothing to compare.'
    """
    if status == MethodStatus.OK:
        count = n or 0
        return ngettext(
            "Found in the answers of %(n)s person.",
            "Found in the answers of %(n)s people.",
            count,
        ) % {"n": count}
    return str(WHY_NOT[status])
