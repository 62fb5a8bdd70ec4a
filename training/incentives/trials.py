"""Trying rules on history: what they would have proposed, what it costs, and whether groups of
people are treated alike. It reads and never writes."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sqcore.base.periods import Period
from sqcore.org.models import Terms
from sqcore.stats.selection import FOUR_FIFTHS, benjamini_hochberg, compare_groups, is_alarm
from training.incentives.facts import Member, PeriodFacts
from training.incentives.models import Scheme, SchemeVersion
from training.incentives.queries import smallest_group, terms_of
from training.incentives.rule_checks import apply_rules, needs_results, needs_scores

FULL_TIME_MINUTES = 35 * 60
MOST_PERIODS = 24
NOT_KNOWN = ""
OTHER = "other"


@dataclass
class _Person:
    """What one person would have got over all periods."""

    member: Member
    periods: int = 0
    times: int = 0
    amount: int = 0


def hash_of(scheme: Scheme, rules: Sequence[Mapping[str, Any]]) -> str:
    """Return what tells exactly these rules from any other ones."""
    said = {"kind": scheme.kind, "grain": scheme.grain, "rules": list(rules)}
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def try_rules(version: SchemeVersion, periods: Sequence[Period]) -> tuple[dict[str, Any], bool]:
    """Return what a trial shows, and whether it blocks. There are no names in it."""
    scheme = version.scheme
    people: dict[int, _Person] = {}
    told = []
    for period in periods:
        facts = PeriodFacts(period)
        told.append(_one_period(scheme, version, facts, people))
    k = smallest_group()
    groups = _groups(scheme, periods[-1], list(people.values()), k)
    lowest = min((group["ratio"] for group in groups), default=None)
    nothing = not any(each["people"] for each in told)
    outcome = {
        "periods": told,
        "people": len(people),
        "chosen": sum(1 for each in people.values() if each.times),
        "groups": groups,
        "lowest_ratio": lowest,
        "smallest_group": k,
        "nothing": nothing,
    }
    return outcome, nothing or (lowest is not None and lowest < FOUR_FIFTHS)


def _one_period(
    scheme: Scheme, version: SchemeVersion, facts: PeriodFacts, people: dict[int, _Person]
) -> dict[str, Any]:
    lines = apply_rules(facts, version.rules)
    reasons: Counter[str] = Counter()
    cost = chosen = 0
    for member in facts.members:
        person = people.setdefault(member.staff_id, _Person(member))
        person.member, person.periods = member, person.periods + 1
        own = lines.get(member.staff_id, [])
        amount = sum(line.amount for line in own)
        is_chosen = bool(own) and (amount > 0 or scheme.kind != Scheme.Kind.PAY)
        reasons.update(line.why for line in own)
        person.times += is_chosen
        person.amount += amount
        cost += amount
        chosen += is_chosen
    return {
        "start": facts.period.start.isoformat(),
        "members": len(facts.members),
        "people": chosen,
        "cost": cost,
        "budget": scheme.budget,
        "is_over": scheme.budget is not None and cost > scheme.budget,
        "reasons": dict(sorted(reasons.items())),
        "missing": _missing(version, facts),
    }


def _missing(version: SchemeVersion, facts: PeriodFacts) -> list[str]:
    """Return what the rules look for and the period does not have."""
    found = []
    if needs_results(version.rules) and facts.run is None:
        found.append("results")
    systems = {rule["system"] for rule in version.rules if "system" in rule}
    units = {member.unit_id for member in facts.members}
    if needs_scores(version.rules) and not any(
        facts.score(system, unit) for system in systems for unit in units
    ):
        found.append("scores")
    return found


# ---- Groups --------------------------------------------------------------------------------------
def _groups(
    scheme: Scheme, last: Period, people: Sequence[_Person], k: int
) -> list[dict[str, Any]]:
    """Return every group of at least k beside the one of its factor that got most.

    Of people whose group is not known nothing is said.
    """
    terms = terms_of([person.member.staff_id for person in people])
    found: list[dict[str, Any]] = []
    for factor, say in GROUPINGS.items():
        named = [say(each.member, terms.get(each.member.staff_id), last) for each in people]
        found += _compared(scheme, factor, large_enough(named, k), people, k)
    q = benjamini_hochberg([np.nan if each["p"] is None else each["p"] for each in found])
    for each, value in zip(found, q, strict=True):
        each["q"] = None if np.isnan(value) else float(value)
        each["is_alarm"] = bool(each["is_alarm"] and each["q"] is not None and each["q"] < 0.05)
    return found


def large_enough(named: Sequence[str], k: int) -> list[str]:
    """Merge groups below k into one; what is below k even then, or alone, is left out."""
    sizes = Counter(named)
    small = {name for name, size in sizes.items() if size < k and name != NOT_KNOWN}
    merged = [OTHER if name in small else name for name in named]
    left = Counter(merged)
    if left[OTHER] < k:
        merged = [NOT_KNOWN if name == OTHER else name for name in merged]
    return merged if len(set(merged) - {NOT_KNOWN}) > 1 else [NOT_KNOWN] * len(named)


def _compared(
    scheme: Scheme, factor: str, named: Sequence[str], people: Sequence[_Person], k: int
) -> Iterable[dict[str, Any]]:
    """Compare the groups of a factor. When fewer than k are left out of it, their figures would
    follow from those of the groups and of all: then ratios are told, and neither counts nor means.
    """
    names = sorted(set(named) - {NOT_KNOWN})
    if not names:
        return []
    kept = [(names.index(n), p) for n, p in zip(named, people, strict=True) if n != NOT_KNOWN]
    code = [place for place, _person in kept]
    chosen = compare_groups([float(p.times > 0) for _n, p in kept], code, len(names))
    is_pay = scheme.kind == Scheme.Kind.PAY
    amounts = [p.amount / p.periods for _n, p in kept]
    got = compare_groups(amounts, code, len(names)) if is_pay else chosen
    alarms = is_alarm(got, np.zeros(len(names)))
    is_told = not 0 < len(people) - len(kept) < k
    return [
        {
            "factor": factor,
            "group": name,
            "people": int(got.n[place]) if is_told else None,
            "chosen": float(chosen.mean[place]) if is_told else None,
            "mean": float(got.mean[place]) if is_pay and is_told else None,
            "ratio": float(min(got.ratio[place], chosen.ratio[place])),
            "effect": float(got.effect[place]),
            "p": None if np.isnan(got.p[place]) else float(got.p[place]),
            "is_reference": place == got.reference,
            "is_alarm": bool(alarms[place]),
        }
        for place, name in enumerate(names)
    ]


Say = Callable[[Member, Terms | None, Period], str]


def _sex(_member: Member, terms: Terms | None, _last: Period) -> str:
    return terms.sex if terms else NOT_KNOWN


def _age(_member: Member, terms: Terms | None, last: Period) -> str:
    if terms is None or terms.born_in is None:
        return NOT_KNOWN
    age = last.end.year - terms.born_in
    return "under-30" if age < 30 else "30-44" if age < 45 else "45-up"


def _hours(_member: Member, terms: Terms | None, _last: Period) -> str:
    if terms is None or terms.weekly_minutes is None:
        return NOT_KNOWN
    return "full-time" if terms.weekly_minutes >= FULL_TIME_MINUTES else "part-time"


def _tenure(member: Member, _terms: Terms | None, last: Period) -> str:
    years = (last.end - member.joined_on).days / 365.25
    return "under-1-year" if years < 1 else "1-4-years" if years < 5 else "5-years-up"


GROUPINGS: dict[str, Say] = {"sex": _sex, "age": _age, "hours": _hours, "tenure": _tenure}
"""How people are put into groups, by factor; "" for whom nothing is known of."""
