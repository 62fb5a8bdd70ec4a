"""The sentences about awards: why somebody is proposed, what to look at, how groups compare."""

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.base.text import in_language, number
from training.incentives.queries import OverrideRate

REASONS: dict[str, str | Promise] = {
    "unit": gettext_lazy("The unit reached %(score)s of 100."),
    "unit-above": gettext_lazy(
        "The unit has no score of its own; the one above reached %(score)s."
    ),
    "own": gettext_lazy(
        "Own result %(estimate)s (95 %% certain: %(low)s to %(high)s), in proportion."
    ),
    "mean": gettext_lazy(
        "The own result is not sure enough for pay, so the mean of colleagues counts: %(mean)s."
    ),
    "team": gettext_lazy("There are no results of people yet, so the unit's share counts."),
    "achievements": gettext_lazy("%(count)s achievements in the period: %(what)s."),
    "above": gettext_lazy(
        "Result %(estimate)s (95 %% certain: %(low)s to %(high)s): clearly above comparable "
        "colleagues."
    ),
    "thanked": gettext_lazy("%(count)s different people wrote words of thanks in the period."),
    "checklist": gettext_lazy("Has all that the post “%(post)s” asks for."),
    "note": gettext_lazy("%(count)s achievements in the period: %(what)s."),
}
PARTS: dict[str, str | Promise] = {
    "team": gettext_lazy("For the result of the unit"),
    "person": gettext_lazy("For the own result"),
    "fixed": gettext_lazy("For achievements"),
    "none": gettext_lazy("Without money"),
}
FLAGS: dict[str, str | Promise] = {
    "held": gettext_lazy("The result is held back for now: a signal or a dispute is open."),
    "disputed": gettext_lazy(
        "A dispute is open: until it is decided the encounter can neither lower the verdict nor "
        "raise what the result may be used for. The figures stay as they were."
    ),
    "answers-more": gettext_lazy(
        "Far more of the customers of this person answered than of those of comparable colleagues. "
        "Of honest people about one in 1,000 is marked so: ask how customers are asked."
    ),
    "answers-fewer": gettext_lazy(
        "Far fewer of the customers of this person answered than of those of comparable "
        "colleagues. Of honest people about one in 1,000 is marked so: ask how customers are asked."
    ),
    "attributed": gettext_lazy(
        "In the last three months another share of the encounters is this person's alone than "
        "before. Of honest people about 2 in 1,000 are marked so: ask who records who served."
    ),
    "raised": gettext_lazy(
        "Adjusting for what the person cannot influence raised the result by more than its own "
        "uncertainty. Ask why."
    ),
}
FACTORS: dict[str, str | Promise] = {
    "sex": gettext_lazy("Sex"),
    "age": gettext_lazy("Age"),
    "hours": gettext_lazy("Hours"),
    "tenure": gettext_lazy("Time in the organisation"),
}
GROUPS: dict[str, str | Promise] = {
    "f": gettext_lazy("Female"),
    "m": gettext_lazy("Male"),
    "x": gettext_lazy("Other"),
    "under-30": gettext_lazy("Under 30"),
    "30-44": gettext_lazy("30 to 44"),
    "45-up": gettext_lazy("45 and over"),
    "full-time": gettext_lazy("Full time"),
    "part-time": gettext_lazy("Part time"),
    "under-1-year": gettext_lazy("Under a year"),
    "1-4-years": gettext_lazy("1 to 4 years"),
    "5-years-up": gettext_lazy("5 years and more"),
    "other": gettext_lazy("All others"),
}
ITEMS: dict[str, str | Promise] = {
    "level": gettext_lazy("Level of %(name)s"),
    "certificate": gettext_lazy("Certificate in force: %(name)s"),
    "years": gettext_lazy("Years in the organisation"),
    "improvements": gettext_lazy("Verified improvements"),
}
_DECIMALS = {"estimate": 2, "low": 2, "high": 2, "mean": 2, "score": 1}


def reason_of(line: Mapping[str, Any]) -> str:
    """Return the sentence that says why a line of a proposal is there."""
    values = {name: _said(name, value) for name, value in line.items()}
    return str(REASONS[line["why"]]) % values


def _said(name: str, value: Any) -> str:
    if isinstance(value, float) or name in _DECIMALS:
        return "–" if value is None else number(value, _DECIMALS.get(name, 1))
    if isinstance(value, list):
        return ", ".join(in_language(each) for each in value if isinstance(each, Mapping))
    return str(value)


def money(amount: int, currency: str) -> str:
    """Return an amount of minor units as people write it: CNY 1,234.50."""
    return f"{currency} {number(amount / 100, 2)}".strip()


def item_of(item: Mapping[str, Any]) -> str:
    return str(ITEMS[item["item"]]) % {"name": in_language(item["name"])}


def why_blocked(outcome: Mapping[str, Any]) -> str:
    """Return why a trial blocks, nothing when it does not."""
    if outcome["nothing"]:
        return _("The rules would have proposed nothing in these periods: they are not tried yet.")
    lowest = outcome["lowest_ratio"]
    if lowest is not None and lowest < 0.8:
        return _(
            "A group of people would get %(share)s %% of what the best-off group gets; below 80 %% "
            "somebody else has to look at it and say why it is right."
        ) % {"share": number(100 * lowest, 0)}
    return ""


def override_said(rate: OverrideRate) -> str:
    """Return what the share of declined proposals says about somebody's decisions."""
    if rate.is_rubber_stamp:
        return _("Declined none of %(decided)d: a rubber stamp is no decision.") % {
            "decided": rate.decided
        }
    return _("Declined %(declined)d of %(decided)d (%(share)s %%).") % {
        "declined": rate.declined,
        "decided": rate.decided,
        "share": number(100 * rate.share, 0),
    }
