"""The rules of incentive schemes: data that anyone can read, checked by the schema of its rule.

A rule looks at one person's own results, achievements and unit, never at a person's place among
others (`rule_refusals`).
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy

from sqcore.achievements.models import Kind
from sqcore.indicators.models import IndicatorSystem
from sqcore.org.models import Post
from sqcore.performance.models import StaffResult
from training.courses.models import Course
from training.incentives.facts import CareerRule, Member, PeriodFacts, measures
from training.incentives.models import Recognition, Scheme
from training.incentives.rule_parameters import Code, Codes, Parameter, Whole, Words
from training.incentives.rulebook import Line

MOST_AMOUNT = 1_000_000_000
PERSON, TEAM = 3, 7
"""Of ten parts of what somebody is paid, at most three come from their own result."""


def _systems() -> Collection[str]:
    return set(IndicatorSystem.objects.filter(is_active=True).values_list("code", flat=True))


def _posts() -> Collection[str]:
    return set(Post.objects.values_list("code", flat=True))


def _courses() -> Collection[str]:
    return set(Course.objects.values_list("code", flat=True))


def known_measures() -> set[str]:
    return set(measures())


AMOUNT = Whole("amount", gettext_lazy("Amount at the most"), 1, MOST_AMOUNT)
MEASURE = Code("measure", gettext_lazy("What customers judge"), known_measures)
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


class ThanksHonour:
    """An honour for who was thanked by several people; money never hangs on thanks."""

    key = "thanks-honour"
    title = gettext_lazy("Words of thanks")
    about = gettext_lazy(
        "An honour for everybody whom at least so many different people thanked in the period, in "
        "words that the person agreed to show. Whoever writes often counts once, and thanks that "
        "two colleagues give one another count for neither."
    )
    kinds = frozenset({Scheme.Kind.HONOUR.value})
    order = 45
    CHOICES = frozenset(Recognition.Source.values)

    def parameters(self) -> Sequence[Parameter]:
        return (
            Whole("least", gettext_lazy("Thanked by at least so many"), 1, 20, default=3),
            Codes("sources", gettext_lazy("Whose thanks count"), lambda: self.CHOICES, fewest=1),
        )

    def propose(
        self, facts: PeriodFacts, asked: Mapping[str, Any], so_far: Sequence[Line]
    ) -> list[Line]:
        lines = []
        for member in facts.members:
            by_source = facts.thanked_by.get(member.staff_id, {})
            writers = set().union(*(by_source.get(each, set()) for each in asked["sources"]))
            if len(writers) >= asked["least"]:
                figures = {"count": len(writers)}
                lines.append(Line(member.staff_id, self.key, "none", 0, "thanked", figures))
        return lines


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
