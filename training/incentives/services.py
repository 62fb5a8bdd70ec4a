"""Schemes and their trials, proposals and the two people who decide, the ledger, payroll batches,
and words of thanks.

Nobody decides on their own award, one award takes two people, and nothing that stands in the ledger
is changed: what was wrong is reversed.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Max, QuerySet
from django.urls import reverse
from django.utils.functional import lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.achievements.models import Kind
from sqcore.achievements.services import record_achievement, take_back
from sqcore.audit.services import record
from sqcore.base.bus import publish
from sqcore.base.errors import (
    Conflict,
    DomainError,
    InvalidInput,
    NotFound,
    NotPermitted,
    Problem,
)
from sqcore.base.events import AwardGranted
from sqcore.base.periods import Grain, Period, title_of
from sqcore.base.text import TranslatedText, in_all_languages
from sqcore.evaluation.models import EvaluationRun
from sqcore.files.writing import WRITERS
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, system_principal
from sqcore.notices.services import notify, notify_holders_of
from sqcore.org.models import Assignment, Staff, during
from sqcore.org.queries import fiscal_start, local_day, organisation
from sqcore.performance.models import Look, ResultsRun, StaffResult
from sqcore.performance.services import note_look
from training.incentives.models import (
    BatchLine,
    Decision,
    LedgerEntry,
    PayrollBatch,
    Proposal,
    Recognition,
    Scheme,
    SchemeVersion,
    Trial,
)
from training.incentives.queries import (
    PeriodFacts,
    ProposalPicture,
    batch_lines,
    batch_of,
    budget_left,
    closed_periods,
    entries_to_pay,
    newest_trial,
    open_disputes,
    proposal_picture,
    valid_version,
)
from training.incentives.rules import (
    Line,
    apply_rules,
    is_above,
    needs_results,
    needs_scores,
    understood,
)
from training.incentives.trials import MOST_PERIODS, hash_of, try_rules
from training.incentives.wording import money

LONGEST_REASON = 1000
LONGEST_WORDS = 600
LONGEST_CONSENT = 200
GRAINS = (Grain.MONTH, Grain.QUARTER, Grain.YEAR)
LATE_DATA = timedelta(days=10)
"""So long after a period results that are late are waited for before it is proposed from what there
is."""
COLUMNS = ("staff", "amount", "currency", "period", "scheme", "unit", "entry")
"""Of a payroll file. No names: they change, and the file must stay the same."""


# ---- Schemes and their rules ---------------------------------------------------------------------
def _require_everywhere(by: Principal, permission: Permission) -> None:
    """Schemes and payroll are those of the whole organisation."""
    by.require(permission)
    if not by.scope(permission).everywhere:
        raise NotPermitted(_("This belongs to the whole organisation, you see a part of it."))


def _text(value: str, *, most: int, name: str) -> str:
    """raises: InvalidInput for nothing, for too much, and for what cannot be kept"""
    said = value.strip()
    if not said:
        reason = _("Write something here.")
    elif "\x00" in said:
        reason = _("This text has a character that cannot be kept.")
    elif len(said) > most:
        reason = _("Write at most %(most)d characters.") % {"most": most}
    else:
        return said
    raise InvalidInput(reason, problems=[Problem(reason, field=name)])


def _locked_scheme(scheme_id: int) -> Scheme:
    """Return a scheme whose rules, budget and grants nobody else changes meanwhile."""
    found = Scheme.objects.select_for_update(of=("self",)).filter(pk=scheme_id).first()
    if found is None:
        raise NotFound(_("There is no such incentive scheme."))
    return found


def _locked_version(version_id: int) -> SchemeVersion:
    scheme_ids = SchemeVersion.objects.filter(pk=version_id).values_list("scheme_id", flat=True)
    scheme_id = scheme_ids.first()
    if scheme_id is None:
        raise NotFound(_("There is no such version of a scheme."))
    scheme = _locked_scheme(scheme_id)
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
    _require_everywhere(by, Permission.MANAGE_AWARDS)
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
    _record("scheme.saved", f"scheme:{scheme.pk}", by, now, details)
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
    _require_everywhere(by, Permission.MANAGE_AWARDS)
    scheme = _locked_scheme(scheme_id)
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
    _record("scheme.rules_written", f"scheme:{scheme.pk}", by, now, details)
    return draft


@transaction.atomic
def try_on_history(
    *, version_id: int, first: date, end: date, by: Principal, now: datetime
) -> Trial:
    """Compute what a version would have proposed in the periods within [first, end).

    raises: NotPermitted; InvalidInput when no closed period lies there, or too many do
    """
    _require_everywhere(by, Permission.MANAGE_AWARDS)
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
    _record("scheme.tried", f"scheme:{version.scheme_id}", by, now, details)
    return trial


@transaction.atomic
def review_trial(*, trial_id: int, review: str, by: Principal, now: datetime) -> Trial:
    """Say why a trial that blocks is right after all; somebody who neither wrote nor tried it.

    raises: NotPermitted; NotFound; InvalidInput without a reason; Conflict
    """
    _require_everywhere(by, Permission.APPROVE_AWARDS)
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
    trial.review = _text(review, most=LONGEST_REASON, name="review")
    trial.reviewed_by, trial.reviewed_at = by.user, now
    trial.save(update_fields=["review", "reviewed_by", "reviewed_at"])
    subject = f"scheme:{trial.version.scheme_id}"
    _record("scheme.trial_reviewed", subject, by, now, {"trial": trial.pk})
    return trial


@transaction.atomic
def publish_version(*, version_id: int, by: Principal, now: datetime) -> SchemeVersion:
    """Put rules in force from their day on: everybody may read them, nobody changes them.

    The newest trial must be one of exactly these rules, and not block unless it was reviewed.
    Rules never reach back before the running period.

    raises: NotPermitted; NotFound; InvalidInput; Conflict
    """
    _require_everywhere(by, Permission.MANAGE_AWARDS)
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
    _record("scheme.published", f"scheme:{scheme.pk}", by, now, details)
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
    _require_everywhere(by, Permission.MANAGE_AWARDS)
    scheme = _locked_scheme(scheme_id)
    if scheme.state != former:
        raise Conflict(_("This scheme is not “%(state)s”.") % {"state": former.label})
    scheme.state = state
    scheme.save(update_fields=["state"])
    _record(f"scheme.{state.value}", f"scheme:{scheme.pk}", by, now, {})
    return scheme


# ---- Proposing -----------------------------------------------------------------------------------
@transaction.atomic
def propose_period(
    *, scheme_id: int, period_start: date, now: datetime, by: Principal | None = None
) -> int:
    """Propose what the rules of a scheme say for a period that is over; return how many are new.

    Once a scheme, period and person: who has a proposal already keeps it as it is.

    raises: NotFound; Conflict when the scheme is not in force then; InvalidInput for another day
    """
    if by is not None:
        _require_everywhere(by, Permission.MANAGE_AWARDS)
    scheme = _locked_scheme(scheme_id)
    period = Period.of(period_start, Grain(scheme.grain), fiscal_start=fiscal_start())
    if period.start != period_start or period.end > local_day(now):
        reason = _("Choose the first day of a period that is over.")
        raise InvalidInput(reason, problems=[Problem(reason, field="period_start")])
    version = valid_version(scheme, on=period.start)
    if scheme.state != Scheme.State.ACTIVE or version is None:
        raise Conflict(_("This scheme has no rules in force for that period."))
    count = _propose(scheme, version, period, now)
    if count:
        details = {"period": period.start.isoformat(), "new": count, "version": version.number}
        _record("scheme.proposed", f"scheme:{scheme.pk}", by or system_principal(), now, details)
    return count


def _propose(scheme: Scheme, version: SchemeVersion, period: Period, now: datetime) -> int:
    facts = PeriodFacts(period)
    found = apply_rules(facts, version.rules)
    there = set(
        Proposal.objects.filter(scheme=scheme, period_start=period.start).values_list(
            "staff_id", flat=True
        )
    )
    disputes = open_disputes(list(found))
    named = in_all_languages(
        gettext_lazy("%(scheme)s, %(period)s"),
        scheme=scheme.name,
        period=_lazy_title(period),
    )
    rows = []
    for member in facts.members:
        lines = found.get(member.staff_id, [])
        amount = sum(line.amount for line in lines)
        if member.staff_id in there or not lines:
            continue
        if scheme.kind == Scheme.Kind.PAY and not amount:
            continue
        rows.append(
            Proposal(
                version=version,
                scheme=scheme,
                staff_id=member.staff_id,
                unit_id=member.unit_id,
                period_start=period.start,
                amount=amount,
                title=_title(lines) or named,
                basis={
                    "lines": [line.as_json() for line in lines],
                    "run": facts.run.pk if facts.run and needs_results(version.rules) else None,
                    "disputes": disputes.get(member.staff_id, 0),
                    "version": version.number,
                },
                proposed_at=now,
                changed_at=now,
            )
        )
    Proposal.objects.bulk_create(rows, batch_size=500)
    return len(rows)


def _lazy_title(period: Period) -> Any:
    """The name of a period in the language in which it is read."""
    return lazy(title_of, str)(period)


def _title(lines: Iterable[Line]) -> TranslatedText | None:
    return next((dict(line.title) for line in lines if line.title), None)


def propose_due(*, now: datetime) -> int:
    """Propose the period before the running one for every scheme in force, once; return how many
    proposals are new.

    It waits for results that are not there yet, but not for ever. A scheme that is refused stops no
    other; HR is told of it, once a period.
    """
    return sum(_propose_or_tell(scheme, now) for scheme in _schemes_in_force())


def _schemes_in_force() -> list[Scheme]:
    return list(Scheme.objects.filter(state=Scheme.State.ACTIVE).order_by("id"))


def _propose_or_tell(scheme: Scheme, now: datetime) -> int:
    running = Period.of(local_day(now), Grain(scheme.grain), fiscal_start=fiscal_start())
    try:
        return _propose_last(scheme, running.previous, now)
    except DomainError:
        _tell_of_skipped(scheme, running.previous, now)
        return 0


def _tell_of_skipped(scheme: Scheme, period: Period, now: datetime) -> None:
    body = gettext_lazy(
        "Nothing was proposed for %(period)s: the rules cannot be applied. See whether all that "
        "they look at is still there."
    )
    notify_holders_of(
        Permission.MANAGE_AWARDS,
        key=f"scheme-skipped:{scheme.pk}:{period.start.isoformat()}",
        title=in_all_languages(gettext_lazy("Skipped: %(scheme)s"), scheme=scheme.name),
        body=in_all_languages(body, period=_lazy_title(period)),
        reason=in_all_languages(gettext_lazy("You write schemes.")),
        link=reverse("training:incentives-scheme", args=[scheme.code]),
        now=now,
    )


def _propose_last(scheme: Scheme, period: Period, now: datetime) -> int:
    today = local_day(now)
    version = valid_version(scheme, on=period.start)
    if version is None or not _is_ready(version, period, today):
        return 0
    if Proposal.objects.filter(scheme=scheme, period_start=period.start).exists():
        return 0
    return propose_period(scheme_id=scheme.pk, period_start=period.start, now=now)


def _is_ready(version: SchemeVersion, period: Period, today: date) -> bool:
    if today >= period.end + LATE_DATA:
        return True
    runs = ResultsRun.objects.filter(is_current=True, ends_on=period.end)
    if needs_results(version.rules) and not runs.exists():
        return False
    evaluated = EvaluationRun.objects.current().filter(
        ends_on=period.end, grain__in=[period.grain.value, Grain.MONTH.value]
    )
    return not needs_scores(version.rules) or evaluated.exists()


# ---- Two people decide ---------------------------------------------------------------------------
def look_at_proposal(*, proposal_id: int, by: Principal, now: datetime) -> ProposalPicture:
    """Return what the deciders must see, and remember that they looked at the person's results.

    raises: NotFound
    """
    picture = proposal_picture(by, proposal_id, on=local_day(now))
    if picture.results:
        note_look(staff_ids=[picture.proposal.staff_id], way=Look.Way.PAGE, by=by, now=now)
    return picture


@transaction.atomic
def review_proposal(
    *, proposal_id: int, agrees: bool, reason: str, by: Principal, now: datetime
) -> Proposal:
    """Take the first step: a manager of the unit agrees or declines, with a reason.

    raises: NotFound; NotPermitted, on oneself among them; InvalidInput; Conflict
    """
    proposal = _locked_proposal(proposal_id, by)
    by.require(Permission.REVIEW_AWARDS, unit_id=proposal.unit_id)
    _decide(proposal, Decision.Step.REVIEW, agrees, reason, by, now)
    return proposal


@transaction.atomic
def approve_proposal(
    *, proposal_id: int, agrees: bool, reason: str, by: Principal, now: datetime
) -> LedgerEntry | None:
    """Take the second step: HR grants or declines what somebody else reviewed; return the entry.

    The scheme is locked: what is granted in one period never exceeds its budget, however many
    approve at once.

    raises: NotFound; NotPermitted, on oneself among them; InvalidInput; Conflict, which names what
        is left of the budget
    """
    scheme_ids = Proposal.objects.visible_to(by).filter(pk=proposal_id)
    scheme_id = scheme_ids.values_list("scheme_id", flat=True).first()
    if scheme_id is None:
        raise NotFound(_("There is no such proposed award."))
    scheme = _locked_scheme(scheme_id)
    proposal = _locked_proposal(proposal_id, by)
    by.require(Permission.APPROVE_AWARDS, unit_id=proposal.unit_id)
    _decide(proposal, Decision.Step.APPROVAL, agrees, reason, by, now)
    if not agrees:
        return None
    if scheme.state != Scheme.State.ACTIVE:
        raise Conflict(_("This scheme is switched off: nothing is granted."))
    _refuse_beyond_budget(scheme, proposal)
    return _grant(scheme, proposal, by, now)


def _locked_proposal(proposal_id: int, by: Principal) -> Proposal:
    found = (
        Proposal.objects.visible_to(by)
        .select_for_update(of=("self",))
        .filter(pk=proposal_id)
        .first()
    )
    if found is None:
        raise NotFound(_("There is no such proposed award."))
    return found


def _decide(
    proposal: Proposal,
    step: Decision.Step,
    agrees: bool,
    reason: str,
    by: Principal,
    now: datetime,
) -> None:
    """Write one step of a locked proposal and what state it leads to."""
    user = _person_other_than(proposal.staff_id, by)
    said = _text(reason, most=LONGEST_REASON, name="reason")
    if proposal.decisions.filter(by=user).exclude(step=step).exists():
        raise NotPermitted(_("Two people decide: you took the step before."))
    wanted = Proposal.State.PROPOSED if step == Decision.Step.REVIEW else Proposal.State.REVIEWED
    if proposal.state != wanted:
        raise Conflict(
            _("This award is “%(state)s”: this step is not to be taken now.")
            % {"state": Proposal.State(proposal.state).label}
        )
    Decision.objects.create(
        proposal=proposal, step=step, agrees=agrees, reason=said, by=user, at=now
    )
    agreed = Proposal.State.REVIEWED if step == Decision.Step.REVIEW else Proposal.State.APPROVED
    proposal.state = agreed if agrees else Proposal.State.DECLINED
    proposal.changed_at = now
    proposal.save(update_fields=["state", "changed_at"])
    details = {"step": int(step), "agrees": agrees, "amount": proposal.amount}
    _record("award.decided", f"proposal:{proposal.pk}", by, now, details)


def _person_other_than(staff_id: int, by: Principal) -> User:
    """Return who decides. raises: NotPermitted for a program, and for oneself"""
    if by.user is None:
        raise NotPermitted(_("People decide on awards, no program does."))
    is_own = Staff.objects.filter(pk=staff_id, user=by.user).exists()
    if is_own or by.staff_id == staff_id:
        raise NotPermitted(_("Nobody decides on their own award."))
    return by.user


def _refuse_beyond_budget(scheme: Scheme, proposal: Proposal) -> None:
    left = budget_left(scheme, proposal.period_start).left
    if left is not None and proposal.amount > left:
        raise Conflict(
            _("The budget of this period does not reach: %(left)s is left of %(budget)s.")
            % {
                "left": money(left, scheme.currency),
                "budget": money(scheme.budget or 0, scheme.currency),
            }
        )


def _grant(scheme: Scheme, proposal: Proposal, by: Principal, now: datetime) -> LedgerEntry:
    entry = LedgerEntry.objects.create(
        key=f"award:{proposal.pk}",
        staff_id=proposal.staff_id,
        unit_id=proposal.unit_id,
        scheme=scheme,
        proposal=proposal,
        period_start=proposal.period_start,
        amount=proposal.amount,
        currency=scheme.currency,
        title=proposal.title,
        entered_by=by.user,
        entered_at=now,
    )
    publish(
        AwardGranted(
            entry_id=entry.pk,
            staff_id=entry.staff_id,
            scheme=scheme.code,
            on=local_day(now).isoformat(),
            title=entry.title,
        ),
        now=now,
    )
    return entry


def paid_by_result(entries: QuerySet[LedgerEntry]) -> list[int]:
    """Return the people whose own result can be told from the amounts of these entries."""
    found = entries.order_by().values_list(
        "staff_id", "proposal__basis__run", "reverses__proposal__basis__run"
    )
    return [staff for staff, *runs in found if any(run is not None for run in runs)]


# ---- The ledger ----------------------------------------------------------------------------------
@transaction.atomic
def reverse_entry(*, entry_id: int, reason: str, by: Principal, now: datetime) -> LedgerEntry:
    """Take back what was granted wrongly by an entry of the opposite amount; the budget gets it
    back. Somebody else than who granted it does so, and nobody for themselves.

    raises: NotFound; NotPermitted; InvalidInput; Conflict when it was taken back already
    """
    entry = (
        LedgerEntry.objects.visible_to(by)
        .select_for_update(of=("self",))
        .select_related("scheme")
        .filter(pk=entry_id)
        .first()
    )
    if entry is None:
        raise NotFound(_("There is no such entry of the ledger."))
    by.require(Permission.APPROVE_AWARDS, unit_id=entry.unit_id)
    user = _person_other_than(entry.staff_id, by)
    if user.pk == entry.entered_by_id:
        raise NotPermitted(_("Somebody else than who granted an award takes it back."))
    said = _text(reason, most=LONGEST_REASON, name="reason")
    if entry.reverses_id is not None or LedgerEntry.objects.filter(reverses=entry).exists():
        raise Conflict(_("This entry cannot be taken back, or was already."))
    back = LedgerEntry.objects.create(
        key=f"back:{entry.pk}",
        staff_id=entry.staff_id,
        unit_id=entry.unit_id,
        scheme=entry.scheme,
        reverses=entry,
        period_start=entry.period_start,
        amount=-entry.amount,
        currency=entry.currency,
        title=entry.title,
        reason=said,
        entered_by=user,
        entered_at=now,
    )
    take_back(
        staff_id=entry.staff_id,
        kind=Kind.AWARD,
        title=entry.title,
        reference=f"award:{entry.pk}",
        reason=_("The award was taken back."),
        now=now,
    )
    details = {"entry": entry.pk, "amount": back.amount}
    _record("award.reversed", f"ledger:{back.pk}", by, now, details)
    return back


@transaction.atomic
def freeze_batch(*, currency: str, through: date, by: Principal, now: datetime) -> PayrollBatch:
    """Freeze the entries of pay until a day that no batch has yet: each is paid in one batch only.

    raises: NotPermitted; InvalidInput for a day to come; Conflict when there is nothing to pay
    """
    _require_everywhere(by, Permission.MANAGE_AWARDS)
    if by.user is None:
        raise NotPermitted(_("People freeze payroll batches, no program does."))
    if through > local_day(now):
        reason = _("Choose a day that is not to come.")
        raise InvalidInput(reason, problems=[Problem(reason, field="through")])
    # Who freezes at the same time waits here, and then finds nothing left.
    schemes = Scheme.objects.select_for_update(of=("self",)).filter(kind=Scheme.Kind.PAY)
    list(schemes.order_by("id").values_list("id", flat=True))
    zone = ZoneInfo(organisation().time_zone)
    ended = datetime.combine(through + timedelta(days=1), time.min, tzinfo=zone)
    entries = list(
        entries_to_pay(currency)
        .filter(entered_at__lt=ended)
        .select_related("staff", "unit", "scheme")
    )
    if not entries:
        raise Conflict(_("There is nothing to pay in this currency until that day."))
    last = PayrollBatch.objects.aggregate(last=Max("number"))["last"] or 0
    batch = PayrollBatch.objects.create(
        number=last + 1,
        through=through,
        currency=currency,
        total=sum(entry.amount for entry in entries),
        people=len({entry.staff_id for entry in entries}),
        content_hash=_hash([_cells(entry) for entry in entries]),
        frozen_by=by.user,
        frozen_at=now,
    )
    BatchLine.objects.bulk_create([BatchLine(batch=batch, entry=entry) for entry in entries])
    details = {"total": batch.total, "lines": len(entries), "hash": batch.content_hash}
    _record("payroll.frozen", f"batch:{batch.pk}", by, now, details)
    return batch


def _cells(entry: LedgerEntry) -> list[str | int]:
    """Return a line of a payroll file: codes and numbers that do not change."""
    return [
        entry.staff.number,
        entry.amount,
        entry.currency,
        entry.period_start.isoformat(),
        entry.scheme.code,
        entry.unit.code,
        entry.key,
    ]


def _hash(lines: Sequence[Sequence[str | int]]) -> str:
    text = json.dumps(lines, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def payroll_file(*, number: int, form: str, by: Principal, now: datetime) -> tuple[str, bytes]:
    """Return the name and content of a batch as `csv` or `xlsx`, the same bytes each time.

    Amounts are in minor units: whole numbers that no spreadsheet rounds.

    raises: NotPermitted; NotFound; InvalidInput; Conflict when its lines are not what was frozen
    """
    _require_everywhere(by, Permission.VIEW_AWARDS)
    if form not in WRITERS:
        raise InvalidInput(_("A payroll batch is had as csv or xlsx."))
    batch = batch_of(by, number)
    lines = [_cells(line.entry) for line in batch_lines(batch)]
    if _hash(lines) != batch.content_hash:
        raise Conflict(
            _("The lines of this batch are not those that were frozen. Ask who runs it.")
        )
    content = b"".join(WRITERS[form](COLUMNS, lines))
    _record("payroll.exported", f"batch:{batch.pk}", by, now, {"form": form, "lines": len(lines)})
    paid = paid_by_result(LedgerEntry.objects.filter(line__batch=batch))
    note_look(staff_ids=paid, way=Look.Way.EXPORT, by=by, now=now)
    return f"payroll-{batch.number}-{batch.currency}.{form}", content


# ---- Recognition ---------------------------------------------------------------------------------
@transaction.atomic
def recognise(
    *,
    staff_id: int,
    text: str,
    source: str = Recognition.Source.COLLEAGUE,
    consent_of_customer: str = "",
    by: Principal,
    now: datetime,
) -> Recognition:
    """Write words of thanks for a colleague, one's own or a customer's; the person is asked.

    raises: NotPermitted for oneself and for who does not work here; NotFound; InvalidInput
    """
    if by.user is None or by.staff_id is None:
        raise NotPermitted(_("Who works here writes words of thanks."))
    if by.staff_id == staff_id:
        raise NotPermitted(_("Words of thanks are for somebody else."))
    said = _text(text, most=LONGEST_WORDS, name="text")
    consent = consent_of_customer.strip()
    if source not in Recognition.Source.values:
        reason = _("There is no such source.")
        raise InvalidInput(reason, problems=[Problem(reason, field="source")])
    if source == Recognition.Source.CUSTOMER:
        consent = _text(consent, most=LONGEST_CONSENT, name="consent_of_customer")
    works = Assignment.objects.filter(during(local_day(now)), staff_id=staff_id)
    place = works.select_related("staff__user").order_by("valid_from", "id").first()
    if place is None:
        raise NotFound(_("Nobody of this number works here."))
    found = Recognition.objects.create(
        staff_id=staff_id,
        unit_id=place.unit_id,
        source=source,
        text=said,
        consent_of_customer=consent if source == Recognition.Source.CUSTOMER else "",
        written_by=by.user,
        written_at=now,
    )
    _record("recognition.written", f"recognition:{found.pk}", by, now, {"source": source})
    _ask_for_consent(found, place.staff, now)
    return found


def _ask_for_consent(found: Recognition, staff: Staff, now: datetime) -> None:
    if staff.user is None:
        return
    notify(
        readers=[staff.user],
        key=f"recognition:{found.pk}",
        title=in_all_languages(gettext_lazy("Somebody thanks you")),
        body=in_all_languages(
            gettext_lazy("Read the words, and say whether colleagues may see them.")
        ),
        reason=in_all_languages(gettext_lazy("Nothing is shown without your consent.")),
        now=now,
    )


@transaction.atomic
def answer_recognition(
    *, recognition_id: int, show: bool, by: Principal, now: datetime
) -> Recognition:
    """Say whether colleagues may see the words; only the person they are for is asked.

    raises: NotFound; NotPermitted; Conflict when it was answered
    """
    found = _locked_recognition(recognition_id, by)
    if by.staff_id != found.staff_id:
        raise NotPermitted(_("Only the person whom the words are for says so."))
    if found.state != Recognition.State.ASKED:
        raise Conflict(_("This was answered already."))
    found.state = Recognition.State.SHOWN if show else Recognition.State.DECLINED
    _answered(found, "recognition.answered", by, now)
    if show:
        record_achievement(
            staff_id=found.staff_id,
            kind=Kind.RECOGNITION,
            title=_title_of_words(found),
            on=local_day(now),
            reference=f"recognition:{found.pk}",
            now=now,
        )
    return found


@transaction.atomic
def take_down(*, recognition_id: int, by: Principal, now: datetime) -> Recognition:
    """Take words off the wall: the person, who wrote them, or HR.

    raises: NotFound; NotPermitted; Conflict when they are not shown
    """
    found = _locked_recognition(recognition_id, by)
    is_own = by.staff_id == found.staff_id or by.user == found.written_by
    if not is_own:
        by.require(Permission.MANAGE_AWARDS, unit_id=found.unit_id)
    if found.state not in (Recognition.State.SHOWN, Recognition.State.ASKED):
        raise Conflict(_("These words are not on the wall."))
    was_shown = found.state == Recognition.State.SHOWN
    found.state = Recognition.State.WITHDRAWN
    _answered(found, "recognition.taken_down", by, now)
    if was_shown:
        take_back(
            staff_id=found.staff_id,
            kind=Kind.RECOGNITION,
            title=_title_of_words(found),
            reference=f"recognition:{found.pk}",
            reason=_("The words were taken down."),
            now=now,
        )
    return found


def _locked_recognition(recognition_id: int, by: Principal) -> Recognition:
    found = (
        Recognition.objects.visible_to(by)
        .select_for_update(of=("self",))
        .filter(pk=recognition_id)
        .first()
    )
    if found is None:
        raise NotFound(_("There are no such words."))
    return found


def _answered(found: Recognition, action: str, by: Principal, now: datetime) -> None:
    found.answered_at = now
    found.save(update_fields=["state", "answered_at"])
    _record(action, f"recognition:{found.pk}", by, now, {"state": str(found.state)})


def _title_of_words(found: Recognition) -> TranslatedText:
    if found.source == Recognition.Source.CUSTOMER:
        return in_all_languages(gettext_lazy("Words of thanks from a customer"))
    return in_all_languages(gettext_lazy("Words of thanks from a colleague"))


# ---- What was heard ------------------------------------------------------------------------------
def tell_of_award(*, entry_id: int, now: datetime) -> bool:
    """Tell a person of their award, once."""
    entry = LedgerEntry.objects.select_related("staff__user", "scheme").get(pk=entry_id)
    if entry.staff.user is None:
        return False
    what = Scheme.Kind(entry.scheme.kind)
    told = notify(
        readers=[entry.staff.user],
        key=f"award:{entry.pk}",
        title=entry.title,
        body=in_all_languages(_AWARDED[what], amount=money(entry.amount, entry.currency)),
        reason=in_all_languages(
            gettext_lazy("Two people agreed. You can read the rules of the scheme.")
        ),
        now=now,
    )
    return bool(told)


_AWARDED = {
    Scheme.Kind.PAY: gettext_lazy("You are granted %(amount)s. It comes with your pay."),
    Scheme.Kind.CAREER: gettext_lazy("You have all that the next post asks for. Talk with HR."),
    Scheme.Kind.HONOUR: gettext_lazy("You are honoured for your service."),
    Scheme.Kind.FEEDBACK: gettext_lazy("Your service was noticed. Thank you."),
}


@transaction.atomic
def record_results_above(*, run_id: int, now: datetime) -> int:
    """Write results that are clearly above comparable colleagues as achievements, once a person,
    measure and calendar year: windows of 12 months that move monthly are mostly the same months.

    Return how many are new.
    """
    run = ResultsRun.objects.get(pk=run_id)
    year = (run.ends_on - timedelta(days=1)).year
    above = StaffResult.objects.filter(run=run, verdict=StaffResult.Verdict.ABOVE)
    title = in_all_languages(gettext_lazy("Clearly above comparable colleagues"))
    return sum(
        record_achievement(
            staff_id=result.staff_id,
            kind=Kind.RESULT,
            title=title,
            on=run.ends_on - timedelta(days=1),
            reference=f"above:{result.staff_id}:{year}:{_short(result.measure)}",
            now=now,
        )
        for result in above.order_by("id")
        if is_above(result)
    )


def _short(measure: str) -> str:
    """A measure's key can be as long as a whole reference."""
    return hashlib.sha256(measure.encode()).hexdigest()[:12]


def _record(
    action: str, subject: str, by: Principal, now: datetime, details: Mapping[str, Any]
) -> None:
    record(action=action, subject=subject, by=by, now=now, details=details)
