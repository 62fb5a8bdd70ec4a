"""Whether the rules of a scheme are right, by themselves and together, and what they propose."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from sqcore.base.errors import Conflict, Problem
from training.incentives.facts import PeriodFacts
from training.incentives.models import Scheme
from training.incentives.rule_parameters import NEEDED
from training.incentives.rule_refusals import refusal_of
from training.incentives.rulebook import RULES, Line
from training.incentives.rules import PERSON, TEAM, ResultLinear, UnitResult, known_measures

MOST_RULES = 10


def understood(kind: str, rules: Any) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Return the rules with their defaults filled in, and what is wrong with them.

    Each problem names the rule, counted from 1, and the parameter.
    """
    if not isinstance(rules, list) or not rules:
        return [], [Problem(_("Give at least one rule."), field="rules")]
    if len(rules) > MOST_RULES:
        most = _("Give at most %(most)d rules.") % {"most": MOST_RULES}
        return [], [Problem(most, field="rules")]
    found: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for row, given in enumerate(rules, start=1):
        one, wrong = _understood_one(kind, given, row)
        found.append(one)
        problems += wrong
    return found, problems or _wrong_together(kind, found)


def _understood_one(kind: str, given: Any, row: int) -> tuple[dict[str, Any], list[Problem]]:
    if not isinstance(given, Mapping):
        return {}, [Problem(_("must be an object with a rule"), field="rule", row=row)]
    if refused := refusal_of(given):
        return {}, [Problem(refused, field="rule", row=row)]
    key = given.get("rule")
    if not isinstance(key, str) or key not in RULES:
        return {}, [Problem(_("There is no such rule."), field="rule", row=row)]
    rule = RULES[key]
    if kind not in rule.kinds:
        reason = _("This rule is not for schemes of this kind.")
        return {}, [Problem(reason, field="rule", row=row)]
    known = {each.name: each for each in rule.parameters()}
    strange = sorted(set(map(str, given)) - {*known, "rule"})
    problems = [Problem(_("is not a parameter of this rule"), field=n, row=row) for n in strange]
    clean: dict[str, Any] = {"rule": key}
    for name, parameter in known.items():
        value = given.get(name, parameter.default)
        if name in given:
            fault = parameter.fault(value)
        else:
            fault = _("is missing") if value is NEEDED else ""
        if fault:
            problems.append(Problem(fault, field=name, row=row))
        clean[name] = list(value) if isinstance(value, tuple) else value
    return clean, problems


def _wrong_together(kind: str, rules: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Return what is wrong with rules that are right by themselves: how pay is shared out."""
    if kind != Scheme.Kind.PAY:
        reason = _("Money is granted by schemes of pay alone, which have a budget: write 0.")
        paid = [row for row, rule in enumerate(rules, 1) if rule.get("amount")]
        return [Problem(reason, field="amount", row=row) for row in paid]
    person = [row for row, rule in enumerate(rules, 1) if rule["rule"] == ResultLinear.key]
    if not person:
        return []
    if len(person) > 1:
        reason = _("Results of a person are paid by one rule of a scheme.")
        return [Problem(reason, field="rule", row=person[1])]
    team = sum(rule["amount"] for rule in rules if rule["rule"] == UnitResult.key)
    if rules[person[0] - 1]["amount"] * TEAM > team * PERSON:
        reason = _(
            "At most 30 %% of the amount may come from a person's own result; with %(team)d for "
            "the result of the unit that is %(most)d."
        ) % {"team": team, "most": team * PERSON // TEAM}
        return [Problem(reason, field="amount", row=person[0])]
    return []


def apply_rules(facts: PeriodFacts, rules: Sequence[Mapping[str, Any]]) -> dict[int, list[Line]]:
    """Return what the rules propose, by staff id; people for whom nothing is proposed are left
    out.

    raises: Conflict for rules that look at what is no longer there
    """
    _refuse_lost(rules)
    lines: list[Line] = []
    for asked in sorted(rules, key=lambda rule: RULES[rule["rule"]].order):
        lines += RULES[asked["rule"]].propose(facts, asked, lines)
    found: dict[int, list[Line]] = {}
    for line in lines:
        found.setdefault(line.staff_id, []).append(line)
    return found


def _refuse_lost(rules: Sequence[Mapping[str, Any]]) -> None:
    lost = {rule["rule"] for rule in rules if rule["rule"] not in RULES}
    if asked := {rule["measure"] for rule in rules if "measure" in rule}:
        lost |= asked - known_measures()
    if lost:
        what = ", ".join(sorted(lost))
        raise Conflict(_("The rules look at what is no longer there: %(what)s.") % {"what": what})


def needs_results(rules: Iterable[Mapping[str, Any]]) -> bool:
    return any("measure" in rule for rule in rules)


def needs_scores(rules: Iterable[Mapping[str, Any]]) -> bool:
    return any("system" in rule for rule in rules)
