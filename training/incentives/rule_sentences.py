"""Rules in plain words: no codes, no parameters."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _

from sqcore.achievements.models import Kind
from sqcore.base.errors import InvalidInput
from sqcore.base.text import in_language
from sqcore.indicators.models import IndicatorSystem
from sqcore.org.models import Post
from training.courses.models import Course
from training.incentives.facts import measures
from training.incentives.models import Recognition, Scheme
from training.incentives.rule_refusals import refusal_of
from training.incentives.rulebook import RULES, Rule
from training.incentives.wording import money


def rule_title(key: str) -> str:
    return str(RULES[key].title) if key in RULES else key


class Names:
    """What the codes in rules are called; each kind of thing is asked for when it is first said."""

    def of(self, parameter: str, code: str) -> str:
        """Return the name of a code that a parameter holds, or the code itself."""
        known = getattr(self, f"_{parameter}", None)
        return known.get(code, code) if isinstance(known, dict) else code

    def joined(self, parameter: str, codes: Iterable[str]) -> str:
        return ", ".join(self.of(parameter, code) for code in codes)

    def choices(self, parameter: str, codes: Iterable[str]) -> list[tuple[str, str]]:
        return sorted(
            ((code, self.of(parameter, code)) for code in codes), key=lambda each: each[1]
        )

    @cached_property
    def _system(self) -> dict[str, str]:
        return {each.code: str(each) for each in IndicatorSystem.objects.order_by("code")}

    @cached_property
    def _posts(self) -> dict[str, str]:
        return {each.code: str(each) for each in Post.objects.order_by("code")}

    @cached_property
    def _post(self) -> dict[str, str]:
        return self._posts

    @cached_property
    def _certificates(self) -> dict[str, str]:
        return {each.code: str(each) for each in Course.objects.order_by("code")}

    @cached_property
    def _kinds(self) -> dict[str, str]:
        return {kind.value: str(kind.label) for kind in Kind}

    @cached_property
    def _sources(self) -> dict[str, str]:
        return {source.value: str(source.label) for source in Recognition.Source}

    @cached_property
    def _measure(self) -> dict[str, str]:
        return {key: in_language(each.name) for key, each in measures().items()}


def sentences_of(rule: Mapping[str, Any], scheme: Scheme, names: Names) -> list[str]:
    """Return what a rule says so that anyone can read it: no codes, no parameters."""
    say = _SENTENCES.get(rule["rule"], _any_rule)
    return [said for said in say(rule, scheme, names) if said]


def _any_rule(rule: Mapping[str, Any], _scheme: Scheme, _names: Names) -> list[str]:
    return [str(RULES[rule["rule"]].about)] if rule["rule"] in RULES else [rule["rule"]]


def _unit_result(rule: Mapping[str, Any], scheme: Scheme, names: Names) -> list[str]:
    system = names.of("system", rule["system"])
    return [
        _(
            "Everybody of a unit gets the same: of at most %(amount)s as many per cent as the unit "
            "has points (0 to 100) in “%(system)s”."
        )
        % {"amount": money(rule["amount"], scheme.currency), "system": system},
        _for_posts(rule, names),
    ]


def _for_posts(rule: Mapping[str, Any], names: Names) -> str:
    if not rule.get("posts"):
        return _("It holds for all posts.")
    return _("It holds for: %(posts)s.") % {"posts": names.joined("posts", rule["posts"])}


def _result_linear(rule: Mapping[str, Any], scheme: Scheme, names: Names) -> list[str]:
    return [
        _(
            "Who gets a part for the unit gets up to %(amount)s more, in proportion to their own "
            "result in “%(measure)s” between the lowest and the highest answer: no steps, never a "
            "deduction."
        )
        % {
            "amount": money(rule["amount"], scheme.currency),
            "measure": names.of("measure", rule["measure"]),
        },
        _("It is at most 30 % of what both parts are."),
        _(
            "Whose own result is not sure enough, because few customers answered, gets what the "
            "mean of the unit gives: never nothing."
        ),
    ]


def _achievement_fixed(rule: Mapping[str, Any], scheme: Scheme, names: Names) -> list[str]:
    told = {"most": rule["most"], "kinds": names.joined("kinds", rule["kinds"])}
    if not rule["amount"]:
        said = _("An honour for achievements of the period: %(kinds)s.")
        return [said % told]
    said = _("%(amount)s for each achievement of the period, at most %(most)s times: %(kinds)s.")
    return [said % {**told, "amount": money(rule["amount"], scheme.currency)}]


def _above_honour(rule: Mapping[str, Any], _scheme: Scheme, names: Names) -> list[str]:
    return [
        _(
            "An honour for everybody whose result in “%(measure)s” is clearly above that of "
            "comparable colleagues: as many as there are, and possibly none."
        )
        % {"measure": names.of("measure", rule["measure"])},
        _("No money hangs on it."),
    ]


def _thanks_honour(rule: Mapping[str, Any], _scheme: Scheme, names: Names) -> list[str]:
    return [
        _(
            "An honour for everybody whom at least %(least)s different people thanked in the "
            "period, in words that the person agreed to show. Whose thanks count: %(sources)s."
        )
        % {"least": rule["least"], "sources": names.joined("sources", rule["sources"])},
        _(
            "Whoever writes often counts once; thanks that two colleagues give one another count "
            "for neither. No money hangs on it."
        ),
    ]


def _career_checklist(rule: Mapping[str, Any], _scheme: Scheme, names: Names) -> list[str]:
    needed = [_("the skills at the levels that the post requires")]
    if rule["years"]:
        needed.append(_("years in the organisation: %(years)s") % {"years": rule["years"]})
    if rule["certificates"]:
        held = names.joined("certificates", rule["certificates"])
        needed.append(_("certificates in force: %(names)s") % {"names": held})
    if rule["improvements"]:
        needed.append(_("verified improvements: %(n)s") % {"n": rule["improvements"]})
    return [
        _("Proposes for the post “%(post)s” who has all of this: %(needed)s.")
        % {"post": names.of("post", rule["post"]), "needed": "; ".join(needed)},
        _("People decide: nothing follows by itself."),
    ]


def _feedback_note(rule: Mapping[str, Any], _scheme: Scheme, names: Names) -> list[str]:
    return [
        _("Who achieved something of this in the period is sent these words: %(kinds)s.")
        % {"kinds": names.joined("kinds", rule["kinds"])},
        _("“%(text)s”") % {"text": in_language(rule["text"])},
    ]


_SENTENCES = {
    "unit-result": _unit_result,
    "result-linear": _result_linear,
    "achievement-fixed": _achievement_fixed,
    "above-honour": _above_honour,
    "thanks-honour": _thanks_honour,
    "career-checklist": _career_checklist,
    "feedback-note": _feedback_note,
}


def rule_named(key: str) -> Rule:
    """raises: InvalidInput for a rule that there is not, with why when it never can be"""
    if key not in RULES:
        raise InvalidInput(refusal_of({"rule": key}) or _("There is no such rule."))
    return RULES[key]


def why_never() -> list[str]:
    """Return why rules by shares, by rank and against colleagues cannot be made."""
    return [refusal_of({"rule": word}) for word in ("top", "rank", "colleagues")]


@dataclass(frozen=True)
class RuleLine:
    """A rule of a scheme in plain words; `row` counts from 1."""

    row: int
    title: str
    sentences: list[str]


def rule_lines(rules: Sequence[Mapping[str, Any]], scheme: Scheme, names: Names) -> list[RuleLine]:
    return [
        RuleLine(row, rule_title(rule["rule"]), sentences_of(rule, scheme, names))
        for row, rule in enumerate(rules, start=1)
    ]
