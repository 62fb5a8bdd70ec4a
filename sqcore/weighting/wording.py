"""How weights came about, in words: what a version keeps of it, read aloud."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.template.defaultfilters import floatformat
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.errors import InvalidInput
from sqcore.base.periods import Period, title_of
from sqcore.org.queries import fiscal_start
from sqcore.stats.data_weights import Combination
from sqcore.weighting.methods import METHODS
from sqcore.weighting.pages import ConsistencyWords, consistency_words
from sqcore.weighting.queries import Origin
from sqcore.weighting.scoring import SETTLED, agreement_words


@dataclass(frozen=True)
class Words:
    """What is told of an origin: a consistency ratio, and lines of what else there was."""

    consistency: ConsistencyWords | None
    lines: tuple[tuple[str, str], ...]


def words_of(origin: Origin) -> Words:
    facts = origin.facts or {}
    return Words(consistency_of(facts), tuple(_lines(facts)))


def consistency_of(facts: Mapping[str, Any]) -> ConsistencyWords | None:
    """Say how consistent the judgements were that weights came from; None without comparisons."""
    if "cr" not in facts:
        return None
    return consistency_words(
        cr=facts["cr"],
        ri=facts["ri"],
        ri_of=facts["ri_of"] or "",
        limit=facts["limit"],
        missing=facts["possible"] - facts["given"],
    )


def _lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    if "w" in facts:
        lines += _round_lines(facts)
    if "period" in facts:
        lines.append((_("Figures"), _figures(facts)))
    if "first" in facts:
        lines += _mix_lines(facts)
    return lines


def _round_lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    lines = []
    if words := agreement_words(facts):
        lines.append((_("Agreement"), f"{words.text} (W {words.w}). {words.about}"))
    rounds = facts.get("rounds", [])
    if rounds:
        closed = ngettext("%(n)d round was closed.", "%(n)d rounds were closed.", len(rounds)) % {
            "n": len(rounds)
        }
        settled = SETTLED.get(rounds[-1].get("settled") or "", "")
        lines.append((_("Rounds"), f"{closed} {settled}"))
    return lines


def _figures(facts: Mapping[str, Any]) -> str:
    return ngettext(
        "%(period)s by version %(version)d, from %(n)d unit.",
        "%(period)s by version %(version)d, from %(n)d units.",
        facts.get("units", 0),
    ) % {
        "period": period_words(facts["period"]),
        "version": facts["of_version"],
        "n": facts.get("units", 0),
    }


def period_words(key: str) -> str:
    """Return a period as people name it; its key where it is none."""
    try:
        return title_of(Period.parse(key, fiscal_start=fiscal_start()))
    except (InvalidInput, ValueError):
        return key


def _mix_lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    first, second = (_title(facts[name]) for name in ("first", "second"))
    shares = {"a": first, "b": second, "t": floatformat(facts["theta"], -2)}
    made = {
        Combination.ADDITIVE.value: _("%(a)s and %(b)s by sum; the first has the share %(t)s."),
        Combination.MULTIPLICATIVE.value: _("%(a)s and %(b)s by product."),
        Combination.GEOMETRIC.value: _("%(a)s and %(b)s by the root of the product."),
    }
    lines = [(_("Made of"), made[facts["how"]] % shares)]
    for key, part in facts.get("parts", {}).items():
        lines += [(f"{_title(key)} – {label}", text) for label, text in _lines(part["facts"])]
        if told := consistency_of(part["facts"]):
            name = _("Consistency")
            lines.append((f"{_title(key)} – {name}", f"{told.text} ({told.ratio})"))
    return lines


def _title(key: str) -> str:
    return str(METHODS[key].title) if key in METHODS else key
