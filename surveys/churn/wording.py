"""The words of risk: signs, levels, how far a scorecard can be believed."""

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.base.text import number

SIGNS: Mapping[str, str | Promise] = {
    "unsolved_last": gettext_lazy("The last visit was not solved, or something was done again"),
    "long_away": gettext_lazy("Away for more than twice the usual time between visits"),
    "fewer_visits": gettext_lazy("Less than half as many visits as in the time before"),
    "detractor": gettext_lazy("Would not recommend us (0 to 6), in the last answer with a name"),
    "falling_answers": gettext_lazy("The last of three answers with a name is the lowest"),
}
MODEL: Mapping[str, str | Promise] = {
    "insufficient_n": gettext_lazy(
        "There are not 50 customers who left and 50 who stayed on earlier days to learn from."
    ),
    "singular": gettext_lazy("Some signs always come together, so that they cannot be told apart."),
    "zero_variance": gettext_lazy("No sign differs between customers."),
    "not_converged": gettext_lazy("No best solution was found."),
}


def percent(share: float) -> str:
    return _("%(number)s %%") % {"number": number(100 * share, 0)}


def judged(trial: Mapping[str, Any]) -> str:
    """Say how far the scorecard can be believed, by the last day it was tried on."""
    found = trial["auc"]
    if found["value"] is None:
        return _("All stayed, or all left: the scorecard cannot be judged by that day.")
    asked = {
        "auc": percent(found["value"]),
        "low": percent(found["low"]),
        "high": percent(found["high"]),
    }
    if found["low"] > 0.5:
        said = _(
            "It tells something: of one who left and one who stayed, the one who left had more "
            "points in %(auc)s of the pairs (%(low)s to %(high)s; 50 %% is chance)."
        )
    elif found["high"] < 0.5:
        said = _(
            "It points the wrong way: of one who left and one who stayed, the one who left had "
            "more points in %(auc)s of the pairs only (%(low)s to %(high)s; 50 %% is chance). Do "
            "not use it."
        )
    else:
        said = _(
            "It is not shown to be better than chance: of one who left and one who stayed, the one "
            "who left had more points in %(auc)s of the pairs (%(low)s to %(high)s; 50 %% is "
            "chance)."
        )
    return said % asked


def chances(trial: Mapping[str, Any]) -> str:
    """Say how good the chances by points are, learnt on earlier days."""
    if trial["brier"] is None:
        return _("There is no earlier day to learn chances from.")
    return _(
        "Chances by points of earlier days miss by %(brier)s on average (squared); the same chance "
        "for everybody would miss by %(base)s."
    ) % {"brier": number(trial["brier"], 3), "base": number(trial["brier_of_base"], 3)}
