"""What no rule may look at: rank, top and bottom shares, forced distributions, named people and
comparison with them. A rule is refused by its name and by the names of its parameters.
"""

import re
from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

RANKS = frozenset(
    {
        *("rank", "ranks", "ranking", "ranked", "league", "tournament", "order", "sort", "place"),
        *("best", "worst", "winner", "winners", "loser", "losers", "first", "last"),
    }
)
SHARES = frozenset(
    {
        *("top", "bottom", "percent", "percentage", "percentile", "percentiles", "quantile"),
        *("quartile", "decile", "quota", "curve", "distribution", "forced", "share", "shares"),
    }
)
OTHERS = frozenset(
    {
        *("staff", "person", "persons", "people", "colleague", "colleagues", "peer", "peers"),
        *("than", "versus", "relative", "compare", "compared", "comparison", "against", "others"),
    }
)
_REFUSED: tuple[tuple[frozenset[str], str | Promise], ...] = (
    (
        SHARES,
        gettext_lazy(
            "Rules by top or bottom shares and forced distributions are refused: somebody must "
            "always lose, however good all are, and chance decides who."
        ),
    ),
    (
        RANKS,
        gettext_lazy(
            "Rules by rank are refused: the results of most people cannot be told apart, so chance "
            "decides between neighbours, and a rank changes because of what others do."
        ),
    ),
    (
        OTHERS,
        gettext_lazy(
            "Rules that name people or compare with them are refused: what somebody gets depends "
            "on their own results and on their unit."
        ),
    ),
)


def refusal_of(rule: Mapping[str, Any]) -> str:
    """Return why a rule is refused by its name or by its shape; nothing when it is not."""
    words = _words(rule)
    return next((str(reason) for refused, reason in _REFUSED if refused & words), "")


def _words(value: Any) -> set[str]:
    """Return the words in the name of a rule and in the names of its parameters, at any depth."""
    if isinstance(value, Mapping):
        found = {word for name in value for word in _parts(str(name))} - {"rule"}
        if isinstance(value.get("rule"), str):
            found |= _parts(value["rule"])
        return found.union(*(_words(inner) for inner in value.values()))
    if isinstance(value, list):
        return set().union(*(_words(inner) for inner in value))
    return set()


def _parts(name: str) -> set[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return set(re.split(r"[^a-z]+", spaced.casefold())) - {""}
