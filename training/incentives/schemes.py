"""Schemes and their rules in versions: written, tried on history, reviewed, published, switched off
and on.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted, Problem
from sqcore.base.periods import Grain, Period
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.queries import fiscal_start, local_day
from training.incentives.guards import (
    LONGEST_REASON,
    checked_text,
    locked_scheme,
    note_act,
    require_everywhere,
)
from training.incentives.models import Scheme, SchemeVersion, Trial
from training.incentives.queries import closed_periods, newest_trial
from training.incentives.rule_checks import understood
from training.incentives.trials import MOST_PERIODS, hash_of, try_rules

GRAINS = (Grain.MONTH, Grain.QUARTER, Grain.YEAR)


def _locked_version(version_id: int) -> SchemeVersion:
    scheme_ids = SchemeVersion.objects.filter(pk=version_id).values_list("scheme_id", flat=True)
    scheme_id = scheme_ids.first()
    if scheme_id is None:
        raise NotFound(_("There is no such version of a scheme."))
    scheme = locked_scheme(scheme_id)
    version = SchemeVersion.objects.get(pk=version_id)
    version.scheme = scheme
    return version


@transaction.atomic
def save_scheme(
    *,
    code: str,
    name: Mapping[str, str],
    kind: str,
    grain: str,
    currency: str = "",
    budget: int | None = None,
    by: Principal,
    now: datetime,
) -> Scheme:
    """Write a scheme down, or change the one of this code.

    Kind, period and currency stay once rules were published; the budget may change and holds for
    what is approved from then on.

    raises: NotPermitted; InvalidInput; Conflict
    """
    require_everywhere(by, Permission.MANAGE_AWARDS)
    currency = currency.strip().upper() if kind == Scheme.Kind.PAY else ""
    budget = budget if kind == Scheme.Kind.PAY else None
    _refuse_unusable_scheme(code, name, kind, grain, currency, budget)
    scheme = Scheme.objects.select_for_update(of=("self",)).filter(code=code).first()
    if scheme is None:
        scheme = Scheme(code=code, created_at=now)
    elif _is_fixed(scheme) and (scheme.kind, scheme.grain, scheme.currency) != (
        kind,
        grain,
        currency,
    ):
        raise Conflict(_("Its rules were published: its kind, period and currency stay."))
    former = scheme.budget
    scheme.name, scheme.kind, scheme.grain = dict(name), kind, grain
    scheme.currency, scheme.budget = currency, budget
    scheme.save()
    details = {"kind": kind, "grain": grain, "budget": budget, "former_budget": former}
    note_act("scheme.saved", f"scheme:{scheme.pk}", by, now, details)
    return scheme


def _is_fixed(scheme: Scheme) -> bool:
    return scheme.versions.filter(published_at__isnull=False).exists()


def _refuse_unusable_scheme(
    code: str,
    name: Mapping[str, str],
    kind: str,
    grain: str,
    currency: str,
    budget: int | None,
) -> None:
    is_pay = kind == Scheme.Kind.PAY
    letters = len(currency) == 3 and currency.isascii() and currency.isalpha()
    faults = {
        "name": not any(name.values()) and _("Write something here."),
        "code": not re.fullmatch(r"[-a-zA-Z0-9_]{1,50}", code)
        and _("Write letters, digits, hyphens and underscores."),
        "kind": kind not in Scheme.Kind.values and _("There is no such kind of scheme."),
        "grain": grain not in GRAINS and _("A scheme has months, quarters or years."),
        "currency": is_pay and not letters and _("Write a currency with three letters."),
        "budget": is_pay
        and (budget is None or not 0 < budget < 10**15)
        and _("A scheme of pay has a budget, which caps what is approved in a period."),
    }
    problems = [Problem(reason, field=field) for field, reason in faults.items() if reason]
    if problems:
        raise InvalidInput(_("Some fields are wrong."), problems=problems)


@transaction.atomic
def write_version(
    *,
    scheme_id: int,
    rules: Sequence[Mapping[str, Any]],
    reason: str = "",
    valid_from: date | None = None,
    by: Principal,
    now: datetime,
) -> SchemeVersion:
    """Write the one draft of a scheme's rules; what was tried before is not these rules.

    raises: NotPermitted; InvalidInput naming rule and parameter
    """
    require_everywhere(by, Permission.MANAGE_AWARDS)
    scheme = locked_scheme(scheme_id)
    clean, problems = understood(scheme.kind, rules)
    if problems:
        raise InvalidInput(_("Some rules are wrong."), problems=problems)
    draft = scheme.versions.filter(published_at__isnull=True).first()
    if draft is None:
        last = scheme.versions.aggregate(last=Max("number"))["last"] or 0
        draft = SchemeVersion(scheme=scheme, number=last + 1)
    draft.rules, draft.reason, draft.valid_from = clean, reason.strip()[:300], valid_from
    draft.written_by, draft.written_at = by.user, now
    draft.save()
    details = {"version": draft.number, "rules": hash_of(scheme, clean)}
    note_act("scheme.rules_written", f"scheme:{scheme.pk}", by, now, details)
    return draft


@transaction.atomic
def try_on_history(
    *, version_id: int, first: date, end: date, by: Principal, now: datetime
) -> Trial:
    """Compute what a version would have proposed in the periods within [first, end).

    raises: NotPermitted; InvalidInput when no closed period lies there, or too many do
    """
    require_everywhere(by, Permission.MANAGE_AWARDS)
    version = _locked_version(version_id)
    periods = closed_periods(version.scheme, first, min(end, local_day(now)))
    if not 0 < len(periods) <= MOST_PERIODS:
        reason = _("Choose days that hold 1 to %(most)d whole periods that are over.") % {
            "most": MOST_PERIODS
        }
        raise InvalidInput(reason, problems=[Problem(reason, field="first")])
    outcome, blocks = try_rules(version, periods)
    trial = Trial.objects.create(
        version=version,
        starts_on=periods[0].start,
        ends_on=periods[-1].end,
        outcome=outcome,
        rules_hash=hash_of(version.scheme, version.rules),
        is_blocking=blocks,
        made_by=by.user,
        made_at=now,
    )
    details = {"trial": trial.pk, "version": version.number, "blocks": blocks}
    note_act("scheme.tried", f"scheme:{version.scheme_id}", by, now, details)
    return trial


@transaction.atomic
def review_trial(*, trial_id: int, review: str, by: Principal, now: datetime) -> Trial:
    """Say why a trial that blocks is right after all; somebody who neither wrote nor tried it.

    raises: NotPermitted; NotFound; InvalidInput without a reason; Conflict
    """
    require_everywhere(by, Permission.APPROVE_AWARDS)
    trial = (
        Trial.objects.select_for_update(of=("self",))
        .select_related("version")
        .filter(pk=trial_id)
        .first()
    )
    if trial is None:
        raise NotFound(_("There is no such trial."))
    if by.user is None or by.user.pk in (trial.made_by_id, trial.version.written_by_id):
        raise NotPermitted(_("Somebody who neither wrote nor tried these rules reviews the trial."))
    if not trial.is_blocking or trial.reviewed_at is not None:
        raise Conflict(_("This trial needs no review."))
    trial.review = checked_text(review, most=LONGEST_REASON, name="review")
    trial.reviewed_by, trial.reviewed_at = by.user, now
    trial.save(update_fields=["review", "reviewed_by", "reviewed_at"])
    subject = f"scheme:{trial.version.scheme_id}"
    note_act("scheme.trial_reviewed", subject, by, now, {"trial": trial.pk})
    return trial


@transaction.atomic
def publish_version(*, version_id: int, by: Principal, now: datetime) -> SchemeVersion:
    """Put rules in force from their day on: everybody may read them, nobody changes them.

    The newest trial must be one of exactly these rules, and not block unless it was reviewed.
    Rules never reach back before the running period.

    raises: NotPermitted; NotFound; InvalidInput; Conflict
    """
    require_everywhere(by, Permission.MANAGE_AWARDS)
    version = _locked_version(version_id)
    scheme = version.scheme
    if version.published_at is not None:
        raise Conflict(_("These rules are published already."))
    _clean, problems = understood(scheme.kind, version.rules)
    if problems:
        raise InvalidInput(_("Some rules are wrong."), problems=problems)
    _refuse_untried(version)
    running = Period.of(local_day(now), Grain(scheme.grain), fiscal_start=fiscal_start())
    if version.valid_from is None or version.valid_from < running.start:
        reason = _("Rules hold from the running period on at the earliest: %(day)s.") % {
            "day": running.start
        }
        raise InvalidInput(reason, problems=[Problem(reason, field="valid_from")])
    version.published_at = now
    version.save(update_fields=["published_at"])
    scheme.state = Scheme.State.ACTIVE
    scheme.save(update_fields=["state"])
    details = {"version": version.number, "from": version.valid_from.isoformat()}
    note_act("scheme.published", f"scheme:{scheme.pk}", by, now, details)
    return version


def _refuse_untried(version: SchemeVersion) -> None:
    trial = newest_trial(version)
    if trial is None or trial.rules_hash != hash_of(version.scheme, version.rules):
        raise Conflict(_("Try exactly these rules on history first."))
    if any(_blocks(each, trial) for each in version.trials.filter(rules_hash=trial.rules_hash)):
        raise Conflict(_("The trial blocks: somebody else has to review it first."))


def _blocks(trial: Trial, newest: Trial) -> bool:
    """Say whether a trial of the same rules stands in the way. A later one answers it only when it
    looks at all of its periods too: nobody picks those in which no difference shows."""
    if not trial.is_blocking or trial.reviewed_at is not None:
        return False
    if trial.pk == newest.pk:
        return True
    is_answered = newest.starts_on <= trial.starts_on and trial.ends_on <= newest.ends_on
    return not is_answered and not trial.outcome["nothing"]


@transaction.atomic
def switch_off(*, scheme_id: int, by: Principal, now: datetime) -> Scheme:
    """End a scheme: nothing more is proposed, what waits is no longer granted."""
    return _switch(scheme_id, Scheme.State.ACTIVE, Scheme.State.OFF, by, now)


@transaction.atomic
def switch_on(*, scheme_id: int, by: Principal, now: datetime) -> Scheme:
    """Take up a scheme again that was switched off, with the rules that it had."""
    return _switch(scheme_id, Scheme.State.OFF, Scheme.State.ACTIVE, by, now)


def _switch(
    scheme_id: int,
    former: Scheme.State,
    state: Scheme.State,
    by: Principal,
    now: datetime,
) -> Scheme:
    require_everywhere(by, Permission.MANAGE_AWARDS)
    scheme = locked_scheme(scheme_id)
    if scheme.state != former:
        raise Conflict(_("This scheme is not “%(state)s”.") % {"state": former.label})
    scheme.state = state
    scheme.save(update_fields=["state"])
    note_act(f"scheme.{state.value}", f"scheme:{scheme.pk}", by, now, {})
    return scheme
