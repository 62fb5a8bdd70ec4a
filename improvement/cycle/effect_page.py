"""The promises of a ticket with their checks, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _

from improvement.cycle.board import Mark
from improvement.cycle.pages import scale_of_indicator
from improvement.tickets.models import State, Ticket
from improvement.verification.another import AnotherLook, another_look
from improvement.verification.models import EffectCheck, EffectPlan, Verdict
from improvement.verification.planning import Outlook
from improvement.verification.wording import (
    TONES,
    agreement_text,
    amount,
    amount_at_least,
    another_said,
    between,
    of_change,
    ratio_text,
    reason_text,
    shift,
    spans,
)
from sqcore.base.periods import Grain
from sqcore.dashboards.tags import day
from sqcore.evaluation.wording import Scale, number
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.models import Indicator


@dataclass(frozen=True)
class Balance:
    """A measure that must not get worse: what was allowed, and what came."""

    name: str
    allowed: str
    came: str = ""
    tone: str = ""


@dataclass(frozen=True)
class CheckView:
    """One look at the effect, in words."""

    check: EffectCheck
    verdict: Mark
    found: str
    sure: str
    promised: str
    figures: list[tuple[str, str]]
    standing: list[tuple[str, str]]
    reasons: list[str]
    balancing: list[Balance]
    another: list[str]
    waits: str
    comes_next: str
    may_confirm: bool
    may_override: bool
    may_withdraw: bool


@dataclass(frozen=True)
class EffectView:
    """A promise with its checks, in words."""

    plan: EffectPlan
    is_present: bool
    promise: str
    facts: list[tuple[str, str]]
    balancing: list[Balance]
    checks: list[CheckView]


def indicators_of(ticket: Ticket, plans: Sequence[EffectPlan]) -> dict[str, Indicator]:
    """Return the indicators that a ticket and its promises are about; one query."""
    codes = {plan.code for plan in plans} | {m.code for p in plans for m in p.balancing.all()}
    found = Indicator.objects.filter(code__in={*codes, ticket.code}).order_by("code")
    return {indicator.code: indicator for indicator in found}


def effects_of(
    ticket: Ticket,
    plans: Sequence[EffectPlan],
    principal: Principal,
    leaves: Mapping[str, Indicator],
) -> list[EffectView]:
    """Return what was promised, the newest first."""
    newest = plans[0].pk if plans and plans[0].cycle == ticket.cycle else None
    return [
        _effect(plan, ticket, principal, leaves, is_present=plan.pk == newest) for plan in plans
    ]


def _scale(code: str, leaves: Mapping[str, Indicator]) -> Scale:
    return scale_of_indicator(leaves.get(code))


def _change_scale(code: str, leaves: Mapping[str, Indicator]) -> Scale:
    return of_change(_scale(code, leaves))


def _name(code: str, leaves: Mapping[str, Indicator]) -> str:
    return str(leaves[code]) if code in leaves else code


def _effect(
    plan: EffectPlan,
    ticket: Ticket,
    principal: Principal,
    leaves: Mapping[str, Indicator],
    *,
    is_present: bool,
) -> EffectView:
    scale, grain = _change_scale(plan.code, leaves), Grain(plan.grain)
    way = (
        _("%(name)s: lower by at least %(by)s")
        if plan.better < 0
        else _("%(name)s: higher by at least %(by)s")
    )
    facts = [
        (_("Compared with"), f"{plan.get_comparison_display()} ({spans(plan.n_before, grain)})"),
        (_("Action planned for"), day(plan.starts_on)),
        (_("Left out after it"), spans(plan.washout, grain)),
        (_("Check on"), _check_day(plan, grain)),
        (_("Smallest detectable effect"), amount_at_least(plan.smallest_detectable, scale)),
    ]
    return EffectView(
        plan=plan,
        is_present=is_present,
        promise=way % {"name": _name(plan.code, leaves), "by": amount(plan.minimum, scale)},
        facts=[(name, value) for name, value in facts if value],
        balancing=[
            Balance(
                _name(each.code, leaves),
                _("at most %(margin)s worse")
                % {"margin": amount(each.margin, _change_scale(each.code, leaves))},
            )
            for each in plan.balancing.all()
        ],
        checks=[
            _check(check, plan, ticket, principal, leaves) for check in plan.checks.all()
        ][::-1],
    )  # fmt: skip


def _check_day(plan: EffectPlan, grain: Grain) -> str:
    on = plan.extended_to or plan.check_on
    said = _("%(day)s, after %(periods)s") % {
        "day": day(on),
        "periods": spans(plan.n_after, grain),
    }
    return _("%(check)s (extended)") % {"check": said} if plan.extended_to else said


def _check(
    check: EffectCheck,
    plan: EffectPlan,
    ticket: Ticket,
    principal: Principal,
    leaves: Mapping[str, Indicator],
) -> CheckView:
    waiting = not check.is_interim and check.confirmed_by_id is None
    present = plan.cycle == ticket.cycle and ticket.state == State.CHECK
    me = principal.user.pk if principal.user else 0
    quality = principal.may(Permission.CONFIRM_EFFECTS, unit_id=ticket.unit_id)
    mine = waiting and present and quality and ticket.owner_id != me
    overridden = check.override_by_id is not None
    look = another_look(check.points)
    return CheckView(
        check=check,
        verdict=_verdict(check),
        found=_found(check, plan, leaves),
        sure=_sure(check, plan, leaves),
        promised=_promised(plan, leaves),
        figures=_figures(check, plan, leaves) + _figures_besides(look),
        standing=_standing(check),
        reasons=[reason_text(str(code)) for code in check.reasons],
        balancing=_balancing(check, leaves),
        another=_another(check, look),
        waits=_waits(check) if waiting else "",
        comes_next=_comes_next(check, plan, ticket),
        may_confirm=mine and check.override_by_id != me,
        may_override=mine and not overridden,
        may_withdraw=mine and overridden,
    )


def _verdict(check: EffectCheck) -> Mark:
    if check.is_interim:
        return Mark(_("Interim look: no verdict"), "", "watch")
    verdict = check.confirmed_verdict or check.verdict
    symbols = {
        Verdict.IMPROVED: "good",
        Verdict.WORSE: "bad",
        Verdict.NO_CHANGE: "flat",
        Verdict.INCONCLUSIVE: "watch",
    }
    return Mark(str(Verdict(verdict).label), TONES[verdict], symbols[Verdict(verdict)])


def _found(check: EffectCheck, plan: EffectPlan, leaves: Mapping[str, Indicator]) -> str:
    """What was found, in a sentence."""
    if check.estimate is None:
        return _("There is nothing to compare yet.")
    scale = _scale(plan.code, leaves)
    by = amount(abs(check.estimate), _change_scale(plan.code, leaves))
    said = {
        "name": _name(plan.code, leaves),
        "by": by,
        "before": amount(check.mean_before or 0.0, scale),
        "after": amount(check.mean_after or 0.0, scale),
    }
    known = check.mean_before is not None and check.mean_after is not None
    if check.estimate < 0:
        way = _("%(name)s: %(by)s lower than before the action")
    else:
        way = _("%(name)s: %(by)s higher than before the action")
    words = way % said
    if known:
        means = _("%(change)s, from %(before)s to %(after)s")
        words = means % {"change": words, **said}
    return _("%(sentence)s.") % {"sentence": words}


def _sure(check: EffectCheck, plan: EffectPlan, leaves: Mapping[str, Indicator]) -> str:
    """How sure that is, and from how much."""
    if check.estimate is None:
        return ""
    grain = Grain(plan.grain)
    said = {
        "before": spans(check.n_before, grain),
        "after": spans(check.n_after, grain),
        "percent": _percent(check),
    }
    if check.low is None or check.high is None:
        return _("From %(before)s before and %(after)s after; how sure is not said yet.") % said
    said["between"] = between(check.low, check.high, _change_scale(plan.code, leaves))
    if check.low <= 0 <= check.high:
        return (
            _(
                "Chance alone can explain that: the %(percent)s interval of the change, "
                "%(between)s, includes zero. From %(before)s before and %(after)s after."
            )
            % said
        )
    return (
        _(
            "Chance does not explain that: the %(percent)s interval of the change is %(between)s. "
            "From %(before)s before and %(after)s after."
        )
        % said
    )


def _promised(plan: EffectPlan, leaves: Mapping[str, Indicator]) -> str:
    by = amount(plan.minimum, _change_scale(plan.code, leaves))
    if plan.better < 0:
        return _("Promised was: lower by at least %(by)s.") % {"by": by}
    return _("Promised was: higher by at least %(by)s.") % {"by": by}


def _comes_next(check: EffectCheck, plan: EffectPlan, ticket: Ticket) -> str:
    """What follows from a verdict of the present cycle; empty once it has followed."""
    if check.is_interim or plan.cycle != ticket.cycle or ticket.state != State.CHECK:
        return ""
    if check.confirmed_by_id is not None:
        return _("Next the owner concludes the check.")
    if (check.override_verdict or check.verdict) == Verdict.IMPROVED:
        return _("Once it is confirmed, the owner makes the new way the standard.")
    return _(
        "Once it is confirmed, the owner decides: another cycle with another cause, or an end with "
        "the lesson."
    )


def _percent(check: EffectCheck) -> str:
    return f"{number(100 * check.confidence, 1).removesuffix('0').rstrip('.,')} %"


def _waits(check: EffectCheck) -> str:
    if check.override_by is None:
        return _("It counts once quality confirms it: somebody else than the owner.")
    said = {
        "name": check.override_by.name,
        "verdict": Verdict(check.override_verdict).label,
        "reason": check.override_reason,
    }
    return _("%(name)s asks for “%(verdict)s” instead: %(reason)s A second person decides.") % said


def _figures(
    check: EffectCheck, plan: EffectPlan, leaves: Mapping[str, Indicator]
) -> list[tuple[str, str]]:
    scale, grain = _change_scale(plan.code, leaves), Grain(plan.grain)
    percent = _percent(check)
    known: list[tuple[str, str]] = []
    if check.estimate is not None:
        known.append((_("Change"), shift(check.estimate, scale)))
    if check.low is not None and check.high is not None:
        interval = between(check.low, check.high, scale)
        known.append((_("%(percent)s interval") % {"percent": percent}, interval))
    n = _("%(before)s before, %(after)s after") % {
        "before": spans(check.n_before, grain),
        "after": spans(check.n_after, grain),
    }
    known.append((_("From"), n))
    if check.mean_before is not None and check.mean_after is not None:
        level = _scale(plan.code, leaves)
        means = f"{amount(check.mean_before, level)} → {amount(check.mean_after, level)}"
        known.append((_("Mean before and after"), means))
    if check.smallest_detectable is not None:
        seen = amount_at_least(check.smallest_detectable, scale)
        known.append((_("Smallest detectable effect"), seen))
    return known


def _another(check: EffectCheck, look: AnotherLook | None) -> list[str]:
    """What the counts say beside the verdict; empty where nothing is counted."""
    if look is None:
        return []
    said = [*another_said(look)]
    if look.ratio is not None and check.low is not None and check.high is not None:
        said.append(agreement_text(look, low=check.low, high=check.high))
    return said


def _figures_besides(look: AnotherLook | None) -> list[tuple[str, str]]:
    if look is None or look.ratio is None or look.dispersion is None:
        return []
    n = _("%(before)s before, %(after)s after") % {
        "before": spans(look.n_before, look.grain),
        "after": spans(look.n_after, look.grain),
    }
    return [
        (_("Another look: ratio of the rates"), ratio_text(look)),
        (_("Another look: from"), n),
        (_("Another look: spread, 1 is that of chance"), number(look.dispersion, 2)),
    ]


def _standing(check: EffectCheck) -> list[tuple[str, str]]:
    """What a look is worth, and who stands for it."""
    known = [(_("Looked at"), day(check.through))]
    if not check.is_interim:
        known.append((_("Restored"), _restored(check.is_restored)))
        known.append((_("Evidence"), check.get_grade_display()))
    if check.override_verdict:
        known.append((_("Computed verdict"), check.get_verdict_display()))
    return known


def _restored(is_restored: bool | None) -> str:
    if is_restored is None:
        return _("cannot be told: there is no frozen baseline")
    if is_restored:
        return _("yes: again within 1 sigma of the frozen baseline")
    return _("no: not within 1 sigma of the frozen baseline")


def _balancing(check: EffectCheck, leaves: Mapping[str, Indicator]) -> list[Balance]:
    found = []
    for each in check.balancing:
        code = str(each.get("code", ""))
        scale = _change_scale(code, leaves)
        low, high, estimate = (each.get(name) for name in ("low", "high", "estimate"))
        came = shift(estimate, scale) if estimate is not None else _("cannot be told")
        if low is not None and high is not None:
            came = f"{came} ({between(low, high, scale)})"
        worse = each.get("is_worse")
        found.append(
            Balance(
                _name(code, leaves),
                _("at most %(margin)s worse") % {"margin": amount(each.get("margin") or 0, scale)},
                came,
                "bad" if worse else "" if worse is None else "good",
            )
        )
    return found


@dataclass(frozen=True)
class OutlookView:
    """What can be seen by when, in words."""

    refusal: str
    check_on: date | None
    said: str
    horizons: list[tuple[str, int, str]]


def outlook_view(outlook: Outlook) -> OutlookView:
    """Say an outlook in the unit of its indicator."""
    ground = outlook.ground
    if ground is None:
        return OutlookView(outlook.refusal, None, "", [])
    scale, grain = ground.place.scale, ground.place.key.grain
    said = ""
    if outlook.n_after and outlook.smallest_detectable is not None:
        said = _(
            "Compared with %(before)s before the action. After %(after)s a change of %(effect)s or "
            "more is seen four times out of five."
        ) % {
            "before": spans(ground.n_before, grain),
            "after": spans(outlook.n_after, grain),
            "effect": amount_at_least(outlook.smallest_detectable, scale),
        }
    horizons = [
        (day(each.on), each.n_after, amount_at_least(each.effect, scale))
        for each in outlook.horizons
    ]
    return OutlookView(outlook.refusal, outlook.check_on, said, horizons)
