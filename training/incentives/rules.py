"""The rules of incentive schemes: data that anyone can read, checked by the schema of its rule.

A rule looks at one person's own results, achievements and unit, never at a person's place among
others: rank, top or bottom shares, forced distributions and comparison with named people are
refused, in whatever scheme, and no such rule can be registered.
"""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.achievements.models import Kind
from sqcore.base.errors import Conflict, Problem
from sqcore.base.registry import Registry
from sqcore.indicators.models import IndicatorSystem
from sqcore.org.models import Post
from sqcore.performance.models import StaffResult
from training.courses.models import Course
from training.incentives.models import Scheme
from training.incentives.queries import CareerRule, Member, PeriodFacts, measures

MOST_RULES = 10
MOST_AMOUNT = 1_000_000_000
PERSON, TEAM = 3, 7
"""Of ten parts of what somebody is paid, at most three come from their own result."""


# ---- What a rule says ----------------------------------------------------------------------------
@dataclass(frozen=True)
class Line:
    """What one rule proposes for one person. `why` names the sentence (`wording.REASONS`) that
    `figures` fill in; a `title` takes the place of the scheme's name and period."""

    staff_id: int
    rule: str
    part: str
    amount: int
    why: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    title: Mapping[str, str] | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "part": self.part,
            "amount": self.amount,
            "why": self.why,
            **self.figures,
        }


class Parameter(Protocol):
    """One parameter of a rule: what it is called and what it may be."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str | Promise: ...

    @property
    def default(self) -> Any: ...

    def fault(self, value: Any) -> str:
        """Return what is wrong with a value, nothing when it may be."""
        ...

    def schema(self) -> dict[str, Any]:
        """Return what it may be, as JSON Schema has it."""
        ...


NEEDED = object()
"""The default of a parameter that has none."""


@dataclass(frozen=True)
class Whole:
    """A whole number between two others."""

    name: str
    title: str | Promise
    least: int
    most: int
    default: Any = NEEDED

    def fault(self, value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, int):
            return _("must be a whole number")
        if not self.least <= value <= self.most:
            return _("must lie between %(least)d and %(most)d") % {
                "least": self.least,
                "most": self.most,
            }
        return ""

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


class Choices(Protocol):
    def __call__(self) -> Collection[str]: ...


@dataclass(frozen=True)
class Code:
    """One of the codes that there are."""

    name: str
    title: str | Promise
    choices: Choices
    default: Any = NEEDED

    def fault(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.choices():
            return _("there is no such thing: %(value)s") % {"value": str(value)[:60]}
        return ""

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": sorted(self.choices())}


@dataclass(frozen=True)
class Codes:
    """Some of the codes that there are, each once."""

    name: str
    title: str | Promise
    choices: Choices
    default: Any = NEEDED
    fewest: int = 0

    def fault(self, value: Any) -> str:
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            return _("must be a list of codes")
        if len(set(value)) != len(value):
            return _("names something twice")
        if len(value) < self.fewest:
            return _("must name at least %(fewest)d") % {"fewest": self.fewest}
        if missing := sorted(set(value) - set(self.choices())):
            return _("there is no such thing: %(value)s") % {"value": ", ".join(missing)[:200]}
        return ""

    def schema(self) -> dict[str, Any]:
        items = {"type": "string", "enum": sorted(self.choices())}
        return {"type": "array", "items": items, "minItems": self.fewest}


@dataclass(frozen=True)
class Words:
    """A text in one or more languages."""

    name: str
    title: str | Promise
    most: int = 300
    default: Any = NEEDED

    def fault(self, value: Any) -> str:
        if not isinstance(value, dict) or not any(value.values()):
            return _("must be a text in at least one language")
        if not all(isinstance(k, str) and isinstance(v, str) for k, v in value.items()):
            return _("must be a text in at least one language")
        if any(len(text) > self.most or "\x00" in text for text in value.values()):
            return _("is too long, or has a character that cannot be kept")
        return ""

    def schema(self) -> dict[str, Any]:
        text = {"type": "string", "maxLength": self.most}
        return {"type": "object", "additionalProperties": text, "minProperties": 1}


class Rule(Protocol):
    """One way to propose awards. Register an instance in `RULES`.

    It may read nothing but `facts`; the same facts give the same lines. `so_far` holds what rules
    with a lower `order` proposed.
    """

    @property
    def key(self) -> str: ...

    @property
    def title(self) -> str | Promise: ...

    @property
    def about(self) -> str | Promise: ...

    @property
    def kinds(self) -> frozenset[str]: ...

    @property
    def order(self) -> int: ...

    def parameters(self) -> Sequence[Parameter]: ...

    def propose(
        self, facts: PeriodFacts, asked: Mapping[str, Any], so_far: Sequence[Line]
    ) -> list[Line]: ...


# ---- What is refused -----------------------------------------------------------------------------
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


class RefusedRule(RuntimeError):
    """A rule that no scheme may have was offered: the program must not start."""


class RuleRegistry(Registry[Rule]):
    def register(self, offer: Rule) -> Rule:
        names: dict[str, Any] = {each.name: None for each in offer.parameters()}
        if reason := refusal_of({"rule": offer.key, **names}):
            raise RefusedRule(f"{offer.key}: {reason}")
        return super().register(offer)


RULES = RuleRegistry("rules of incentives")


# ---- Checking ------------------------------------------------------------------------------------
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


# ---- Applying ------------------------------------------------------------------------------------
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
        lost |= asked - _measures()
    if lost:
        what = ", ".join(sorted(lost))
        raise Conflict(_("The rules look at what is no longer there: %(what)s.") % {"what": what})


def needs_results(rules: Iterable[Mapping[str, Any]]) -> bool:
    return any("measure" in rule for rule in rules)


def needs_scores(rules: Iterable[Mapping[str, Any]]) -> bool:
    return any("system" in rule for rule in rules)


# ---- The rules -----------------------------------------------------------------------------------
def _systems() -> Collection[str]:
    return set(IndicatorSystem.objects.filter(is_active=True).values_list("code", flat=True))


def _posts() -> Collection[str]:
    return set(Post.objects.values_list("code", flat=True))


def _courses() -> Collection[str]:
    return set(Course.objects.values_list("code", flat=True))


def _measures() -> set[str]:
    return set(measures())


AMOUNT = Whole("amount", gettext_lazy("Amount at the most"), 1, MOST_AMOUNT)
MEASURE = Code("measure", gettext_lazy("What customers judge"), _measures)
POSTS = Codes("posts", gettext_lazy("Posts; none: all"), _posts, default=())


def _of_posts(facts: PeriodFacts, posts: Collection[str]) -> Iterable[Member]:
    return (member for member in facts.members if not posts or member.post in posts)


class UnitResult:
    """The team's part: the same for everybody of a unit, in proportion to its composite."""

    key = "unit-result"
    title = gettext_lazy("Result of the unit")
    about = gettext_lazy(
        "Everybody of a unit gets the same part of the amount: its score of 0 to 100, as per cent."
    )
    kinds = frozenset({Scheme.Kind.PAY.value})
    order = 10

    def parameters(self) -> Sequence[Parameter]:
        system = Code("system", gettext_lazy("Indicator system"), _systems)
        return (AMOUNT, system, POSTS)

    def propose(
        self, facts: PeriodFacts, asked: Mapping[str, Any], so_far: Sequence[Line]
    ) -> list[Line]:
        lines = []
        for member in _of_posts(facts, asked["posts"]):
            score = facts.score(asked["system"], member.unit_id)
            if score is not None:
                points = min(100.0, max(0.0, score.points))
                lines.append(
                    Line(
                        member.staff_id,
                        self.key,
                        "team",
                        math.floor(asked["amount"] * points / 100),
                        "unit" if score.unit_id == member.unit_id else "unit-above",
                        {"score": points, "unit": score.unit_id, "most": asked["amount"]},
                    )
                )
        return lines


class ResultLinear:
    """A person's part: in proportion to the shrunk estimate, no step anywhere.

    It is at most 3/7 of the part that the team gets: at most 30 % of both. Whose result is not sure
    enough for pay gets what the mean of the unit would give: never nothing, and never less than a
    colleague because too few customers answered.
    """

    key = "result-linear"
    title = gettext_lazy("Own result")
    about = gettext_lazy(
        "In proportion to the person's result between the lowest and the highest answer, without "
        "steps. Whose result is not sure enough for pay gets what the unit's mean result gives."
    )
    kinds = frozenset({Scheme.Kind.PAY.value})
    order = 20

    def parameters(self) -> Sequence[Parameter]:
        return (AMOUNT, MEASURE)

    def propose(
        self, facts: PeriodFacts, asked: Mapping[str, Any], so_far: Sequence[Line]
    ) -> list[Line]:
        team: dict[int, list[Line]] = {}
        for line in so_far:
            if line.part == "team" and line.amount:
                team.setdefault(line.staff_id, []).append(line)
        members = [member for member in facts.members if member.staff_id in team]
        return [self._line(facts, asked, each, team[each.staff_id]) for each in members]

    def _line(
        self, facts: PeriodFacts, asked: Mapping[str, Any], member: Member, team: Sequence[Line]
    ) -> Line:
        given = sum(line.amount for line in team)
        most = min(asked["amount"], given * PERSON // TEAM)
        key = asked["measure"]
        result = facts.results(key).get(member.staff_id)
        figures: dict[str, Any] = {
            "measure": key,
            "most": most,
            "gate": str(result.gate) if result is not None else "none",
        }
        if is_sure_enough(result) and result is not None and result.estimate is not None:
            share, why = _part_of_scale(key, result.estimate), "own"
            figures |= {"estimate": result.estimate, "low": result.low, "high": result.high}
        elif (mean := facts.middle(key, member.unit_id)) is not None:
            share, why = _part_of_scale(key, mean), "mean"
            figures |= {"mean": mean}
            if (own := _doubted(result, facts)) is not None and _part_of_scale(key, own) < share:
                share, why = _part_of_scale(key, own), "own"
                figures |= {"estimate": own}
                figures |= {"low": result.low, "high": result.high} if result else {}
        else:
            share, why = given / sum(line.figures["most"] for line in team), "team"
        return Line(member.staff_id, self.key, "person", math.floor(most * share), why, figures)


def is_sure_enough(result: StaffResult | None) -> bool:
    """Say whether a result may be used for pay: the gate, and no open signal at the unit.

    A dispute that waits changes nothing here: else disputing would lift whoever is low to the mean.
    """
    return (
        result is not None
        and result.gate == StaffResult.Gate.PAY
        and result.estimate is not None
        and result.held != "signal"
    )


def _doubted(result: StaffResult | None, facts: PeriodFacts) -> float | None:
    """Return the estimate that would be sure enough for pay but for a dispute that waits: who is
    low and disputes must not be lifted to the mean."""
    if result is None or facts.run is None or not result.disputed or result.held == "signal":
        return None
    rules = facts.run.policy
    needed = max(rules.pay_reliability, rules.coaching_reliability)
    is_sure = result.n >= rules.smallest_n and (result.reliability or 0.0) >= needed
    return result.estimate if is_sure else None


def _part_of_scale(measure: str, value: float) -> float:
    known = measures()[measure]
    part = (value - known.lowest) / (known.highest - known.lowest)
    return min(1.0, max(0.0, part))


class AchievementFixed:
    """A fixed amount for each achievement of the period. Results above others are none of them:
    that would be a step in pay."""

    key = "achievement-fixed"
    title = gettext_lazy("Achievements")
    about = gettext_lazy(
        "A fixed amount for each achievement of the period, up to so many: courses, certificates, "
        "verified improvements, words of thanks."
    )
    kinds = frozenset({Scheme.Kind.PAY.value, Scheme.Kind.HONOUR.value})
    order = 30
    CHOICES = frozenset(
        {
            Kind.COURSE.value,
            Kind.CERTIFICATE.value,
            Kind.IMPROVEMENT.value,
            Kind.RECOGNITION.value,
        }
    )

    def parameters(self) -> Sequence[Parameter]:
        return (
            Whole("amount", gettext_lazy("Amount for each"), 0, MOST_AMOUNT),
            Codes("kinds", gettext_lazy("Achievements"), lambda: self.CHOICES, fewest=1),
            Whole("most", gettext_lazy("Counted at the most"), 1, 20, default=3),
        )

    def propose(
        self, facts: PeriodFacts, asked: Mapping[str, Any], so_far: Sequence[Line]
    ) -> list[Line]:
        lines = []
        for member in facts.members:
            own = facts.achievements.get(member.staff_id, [])
            counted = [each for each in own if each.kind in asked["kinds"]][: asked["most"]]
            if counted:
                figures = {
                    "count": len(counted),
                    "each": asked["amount"],
                    "what": [each.title for each in counted],
                }
                amount = asked["amount"] * len(counted)
                lines.append(
                    Line(member.staff_id, self.key, "fixed", amount, "achievements", figures)
                )
        return lines


class AboveHonour:
    """An honour for who is clearly above comparable colleagues; money never hangs on it."""

    key = "above-honour"
    title = gettext_lazy("Clearly above comparable colleagues")
    about = gettext_lazy(
        "An honour for everybody whose result is clearly above that of comparable colleagues and "
        "sure enough for coaching: as many as there are, and possibly none."
    )
    kinds = frozenset({Scheme.Kind.HONOUR.value})
    order = 40

    def parameters(self) -> Sequence[Parameter]:
        return (MEASURE,)

    def propose(
        self, facts: PeriodFacts, asked: Mapping[str, Any], so_far: Sequence[Line]
    ) -> list[Line]:
        lines = []
        for member in facts.members:
            result = facts.results(asked["measure"]).get(member.staff_id)
            if is_above(result) and result is not None:
                figures = {
                    "measure": asked["measure"],
                    "estimate": result.estimate,
                    "low": result.low,
                    "high": result.high,
                    "gate": str(result.gate),
                }
                lines.append(Line(member.staff_id, self.key, "none", 0, "above", figures))
        return lines


def is_above(result: StaffResult | None) -> bool:
    return (
        result is not None
        and result.verdict == StaffResult.Verdict.ABOVE
        and result.gate != StaffResult.Gate.NONE
        and not result.held
    )


class CareerChecklist:
    """Says who has all that a post asks for. People decide: nothing follows by itself."""

    key = "career-checklist"
    title = gettext_lazy("Checklist of a post")
    about = gettext_lazy(
        "Proposes who has all that a post asks for: its required levels, certificates in force, "
        "years, verified improvements. Each item is shown with what is needed and what is there. "
        "People decide."
    )
    kinds = frozenset({Scheme.Kind.CAREER.value})
    order = 50

    def parameters(self) -> Sequence[Parameter]:
        return (
            Code("post", gettext_lazy("Post"), _posts),
            Whole("years", gettext_lazy("Years in the organisation"), 0, 40, default=0),
            Codes("certificates", gettext_lazy("Certificates in force"), _courses, default=()),
            Whole("improvements", gettext_lazy("Verified improvements"), 0, 20, default=0),
        )

    def propose(
        self, facts: PeriodFacts, asked: Mapping[str, Any], so_far: Sequence[Line]
    ) -> list[Line]:
        wanted = career_rule(asked)
        lines = []
        for member in facts.members:
            items = facts.checklist(member, wanted) if member.post != wanted.post else []
            if items and all(item.is_met for item in items):
                told = [
                    {"item": i.item, "name": dict(i.name), "needed": i.needed, "held": i.held}
                    for i in items
                ]
                figures = {"post": wanted.post, "items": told}
                lines.append(Line(member.staff_id, self.key, "none", 0, "checklist", figures))
        return lines


def career_rule(asked: Mapping[str, Any]) -> CareerRule:
    return CareerRule(
        asked["post"], asked["years"], tuple(asked["certificates"]), asked["improvements"]
    )


class FeedbackNote:
    """Words to a person who achieved something in the period."""

    key = "feedback-note"
    title = gettext_lazy("Note to the person")
    about = gettext_lazy("Who achieved something of these kinds in the period is sent these words.")
    kinds = frozenset({Scheme.Kind.FEEDBACK.value})
    order = 60
    CHOICES = AchievementFixed.CHOICES | {Kind.RESULT.value}

    def parameters(self) -> Sequence[Parameter]:
        return (
            Codes("kinds", gettext_lazy("Achievements"), lambda: self.CHOICES, fewest=1),
            Words("text", gettext_lazy("Words to the person")),
        )

    def propose(
        self, facts: PeriodFacts, asked: Mapping[str, Any], so_far: Sequence[Line]
    ) -> list[Line]:
        lines = []
        for member in facts.members:
            own = facts.achievements.get(member.staff_id, [])
            what = [each.title for each in own if each.kind in asked["kinds"]]
            if what:
                figures = {"count": len(what), "what": what}
                line = Line(
                    member.staff_id, self.key, "none", 0, "note", figures, title=asked["text"]
                )
                lines.append(line)
        return lines
