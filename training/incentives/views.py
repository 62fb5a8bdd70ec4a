"""Pages of incentives: awards to decide, schemes and their rules, the ledger, payroll, the wall."""

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sqcore.base.errors import DomainError, InvalidInput, NotFound, NotPermitted
from sqcore.files.writing import CONTENT_TYPES
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, principal_of
from sqcore.org.queries import local_day
from sqcore.performance.models import Look
from sqcore.performance.services import note_look
from training.incentives import payroll, recognition
from training.incentives.award_pages import proposal_page, proposals_page
from training.incentives.deciding import approve_proposal, look_at_proposal, review_proposal
from training.incentives.forms import (
    AnswerForm,
    DecisionForm,
    FreezeForm,
    NewSchemeForm,
    ReasonForm,
    ReviewForm,
    RuleForm,
    SchemeForm,
    TrialForm,
    VersionForm,
    WordsForm,
)
from training.incentives.ledger_pages import (
    EntryRow,
    batch_page,
    batches_page,
    currencies,
    entry_row,
    ledger_page,
)
from training.incentives.models import LedgerEntry, PayrollBatch, Proposal, Scheme, Trial
from training.incentives.payroll import freeze_batch, paid_by_result, payroll_file
from training.incentives.queries import batch_of, scheme_of, scheme_overview
from training.incentives.recognition import answer_recognition, recognise
from training.incentives.rule_sentences import Names, rule_lines, rule_named, why_never
from training.incentives.scheme_pages import Draft, draft_of, scheme_page, schemes_page
from training.incentives.schemes import (
    publish_version,
    review_trial,
    save_scheme,
    switch_off,
    switch_on,
    try_on_history,
    write_version,
)
from training.incentives.trial_page import trial_page
from training.incentives.wall_page import colleague_of, colleagues, wall_page


# ---- Awards to decide ----------------------------------------------------------------------------
@login_required
@require_safe
def proposals(request: HttpRequest) -> HttpResponse:
    """List the proposed awards, first what waits for who asks; who is shown is told so."""
    principal = principal_of(request)
    found = proposals_page(
        principal=principal,
        tab=request.GET.get("tab", ""),
        page=request.GET.get("page", ""),
    )
    if people := found.shown_results_of:
        note_look(staff_ids=people, way=Look.Way.LIST.value, by=principal, now=timezone.now())
    return render(request, "training/incentives/proposals.html", {"found": found})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def proposal(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one proposed award with all that deciders must see; what is posted here decides."""
    principal, now = principal_of(request), timezone.now()
    picture = look_at_proposal(proposal_id=pk, by=principal, now=now)
    page = proposal_page(picture, principal=principal)
    form = DecisionForm(request.POST if request.method == "POST" else None)
    first = picture.proposal.state == Proposal.State.PROPOSED

    def act() -> object:
        decide = review_proposal if first else approve_proposal
        reason = form.cleaned_data["reason"]
        return decide(proposal_id=pk, agrees=form.agrees, reason=reason, by=principal, now=now)

    if _done(form, act):
        messages.success(request, _said(first, form.agrees))
        return redirect("training:incentives-proposals")
    trail = [(_("Awards to decide"), reverse("training:incentives-proposals"))]
    context = {
        "page": page,
        "form": form,
        "trail": [*([] if page.is_mine else trail), (picture.proposal.staff.name, "")],
    }
    return _form_page(request, "proposal", context, form)


def _said(first: bool, agrees: bool) -> str:
    if not agrees:
        return _("The award is declined. Nothing is granted.")
    return _("You agreed. It now waits for HR.") if first else _("The award is granted.")


# ---- Schemes -------------------------------------------------------------------------------------
@login_required
@require_safe
def schemes(request: HttpRequest) -> HttpResponse:
    """List the schemes; who works here sees those in force."""
    principal = principal_of(request)
    found = schemes_page(principal=principal, on=local_day(timezone.now()))
    return render(request, "training/incentives/schemes.html", {"found": found})


@login_required
@require_safe
def scheme(request: HttpRequest, code: str) -> HttpResponse:
    """Show the rules of a scheme in plain words, and to who writes it what it takes to publish."""
    return _scheme_page(request, code, None)


def _scheme_page(request: HttpRequest, code: str, form: TrialForm | None) -> HttpResponse:
    principal, today = principal_of(request), local_day(timezone.now())
    page = scheme_page(principal=principal, code=code, on=today)
    start = page.overview.period.start
    initial = {"first": start.replace(year=start.year - 1, day=1), "end": start}
    form = form or TrialForm(initial=initial)
    context = {"page": page, "form": form, "trail": _trail(str(page.scheme))}
    return _form_page(request, "scheme", context, form)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, code: str = "") -> HttpResponse:
    """Write a scheme down, or change its name and budget."""
    principal, now = principal_of(request), timezone.now()
    principal.require(Permission.MANAGE_AWARDS)
    found = scheme_of(principal, code) if code else None
    kind = SchemeForm if found else NewSchemeForm
    form = kind(request.POST if request.method == "POST" else None, initial=_kept(found))

    def act() -> object:
        given = {"code": code, **form.cleaned_data}
        return save_scheme(**given, by=principal, now=now)

    if _done(form, act):
        messages.success(request, _("The scheme is kept."))
        return redirect("training:incentives-scheme", code or form.cleaned_data["code"])
    title = str(found) if found else _("New scheme")
    context = {"form": form, "title": title, "trail": _trail(title)}
    return _form_page(request, "form", context, form)


def _kept(found: Scheme | None) -> dict[str, Any]:
    names = ("name", "kind", "grain", "currency", "budget")
    return {name: getattr(found, name) for name in names} if found else {}


@login_required
@require_POST
def try_rules(request: HttpRequest, code: str) -> HttpResponse:
    """Compute what the draft would have proposed in past periods."""
    principal, now = principal_of(request), timezone.now()
    version_id = _draft_id(principal, code)
    form = TrialForm(request.POST)
    made: list[Trial] = []

    def act() -> object:
        given = form.cleaned_data
        trial = try_on_history(version_id=version_id, **given, by=principal, now=now)
        made.append(trial)
        return trial

    if _done(form, act):
        return redirect("training:incentives-trial", made[0].pk)
    return _scheme_page(request, code, form)


@login_required
@require_POST
def publish(request: HttpRequest, code: str) -> HttpResponse:
    """Put the draft in force from its day on."""
    principal, now = principal_of(request), timezone.now()
    version_id = _draft_id(principal, code)
    return _act(
        request,
        lambda: publish_version(version_id=version_id, by=principal, now=now),
        _("The rules are published: everybody who works here may read them."),
        "training:incentives-scheme",
        code,
    )


def _draft_id(principal: Principal, code: str) -> int:
    """raises: NotPermitted for who writes no schemes; NotFound"""
    principal.require(Permission.MANAGE_AWARDS)
    found = scheme_overview(principal, code, on=local_day(timezone.now())).draft
    if found is None:
        raise NotFound(_("This scheme has no draft."))
    return found.pk


@login_required
@require_POST
def switch(request: HttpRequest, code: str) -> HttpResponse:
    """Switch a scheme off, or on again."""
    principal, now = principal_of(request), timezone.now()
    found = scheme_of(principal, code)
    is_on = found.state == Scheme.State.ACTIVE
    do = switch_off if is_on else switch_on
    said = _("The scheme is switched off: nothing more is proposed or granted.")
    return _act(
        request,
        lambda: do(scheme_id=found.pk, by=principal, now=now),
        said if is_on else _("The scheme is in force again."),
        "training:incentives-scheme",
        code,
    )


# ---- Rules ---------------------------------------------------------------------------------------
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def draft(request: HttpRequest, code: str) -> HttpResponse:
    """Show the draft of the rules; what is posted here is why and from when."""
    principal, start = _editor(request, code)
    initial = {"valid_from": start.valid_from, "reason": start.reason}
    form = VersionForm(request.POST if request.method == "POST" else None, initial=initial)

    def act() -> object:
        return _write(principal, start, start.rules, **form.cleaned_data)

    if _done(form, act):
        messages.success(request, _("The draft is kept. Try it on history next."))
        return redirect("training:incentives-scheme", code)
    page = scheme_page(principal=principal, code=code, on=local_day(timezone.now()))
    context = {
        "page": page,
        "start": start,
        "lines": rule_lines(start.rules, start.scheme, Names()),
        "never": why_never(),
        "form": form,
        "trail": _trail(_("Draft of the rules"), start.scheme),
    }
    return _form_page(request, "draft", context, form)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def add_rule(request: HttpRequest, code: str, key: str) -> HttpResponse:
    """Add a rule of the registry to the draft."""
    principal, start = _editor(request, code)
    return _rule_page(request, principal, start, key, len(start.rules) + 1)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def change_rule(request: HttpRequest, code: str, row: int) -> HttpResponse:
    """Change the parameters of a rule of the draft."""
    principal, start = _editor(request, code)
    if not 0 < row <= len(start.rules):
        raise NotFound(_("There is no such rule."))
    return _rule_page(request, principal, start, start.rules[row - 1]["rule"], row)


def _rule_page(
    request: HttpRequest, principal: Principal, start: Draft, key: str, row: int
) -> HttpResponse:
    rule = rule_named(key)
    form = RuleForm(
        request.POST if request.method == "POST" else None,
        rule=rule,
        scheme=start.scheme,
        name_of=Names().choices,
        initial=start.rules[row - 1] if row <= len(start.rules) else {},
    )

    def act() -> object:
        rules = [*start.rules[: row - 1], form.asked, *start.rules[row:]]
        return _write(principal, start, rules)

    if _done(form, act, row):
        messages.success(request, _("The rule is kept in the draft."))
        return redirect("training:incentives-draft", start.scheme.code)
    context = {
        "form": form,
        "rule": rule,
        "title": str(rule.title),
        "lead": str(rule.about),
        "trail": _trail(str(rule.title), start.scheme, in_draft=True),
    }
    return _form_page(request, "form", context, form)


@login_required
@require_POST
def remove_rule(request: HttpRequest, code: str, row: int) -> HttpResponse:
    """Take a rule out of the draft."""
    principal, start = _editor(request, code)
    if not 0 < row <= len(start.rules):
        raise NotFound(_("There is no such rule."))
    left = [*start.rules[: row - 1], *start.rules[row:]]
    return _act(
        request,
        lambda: _write(principal, start, left),
        _("The rule is taken out of the draft."),
        "training:incentives-draft",
        code,
    )


def _editor(request: HttpRequest, code: str) -> tuple[Principal, Draft]:
    principal = principal_of(request)
    today = local_day(timezone.now())
    return principal, draft_of(principal=principal, code=code, on=today)


def _write(principal: Principal, start: Draft, rules: list[dict[str, Any]], **given: Any) -> object:
    kept = {"reason": start.reason, "valid_from": start.valid_from, **given}
    return write_version(
        scheme_id=start.scheme.pk, rules=rules, **kept, by=principal, now=timezone.now()
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def trial(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what rules would have done; what is posted here says why it is right after all."""
    principal, now = principal_of(request), timezone.now()
    page = trial_page(principal=principal, trial_id=pk)
    form = ReviewForm(request.POST if request.method == "POST" else None)

    def act() -> object:
        review = form.cleaned_data["review"]
        return review_trial(trial_id=pk, review=review, by=principal, now=now)

    if _done(form, act):
        messages.success(request, _("The trial is reviewed: the rules can be published."))
        return redirect("training:incentives-trial", pk)
    context = {
        "page": page,
        "form": form,
        "trail": _trail(_("Trial on history"), page.scheme),
    }
    return _form_page(request, "trial", context, form)


# ---- The ledger and payroll ----------------------------------------------------------------------
@login_required
@require_safe
def ledger(request: HttpRequest) -> HttpResponse:
    """List what was granted and taken back; whose result an amount tells is told so."""
    principal = principal_of(request)
    found = ledger_page(
        principal=principal,
        text=request.GET.get("text", ""),
        scheme=request.GET.get("scheme", ""),
        page=request.GET.get("page", ""),
    )
    _note_amounts(found.rows, Look.Way.LIST, principal)
    return render(request, "training/incentives/ledger.html", {"found": found})


def _note_amounts(rows: Iterable[EntryRow], way: Look.Way, principal: Principal) -> None:
    """Remember the look at results that the amounts of these rows tell."""
    shown = LedgerEntry.objects.filter(pk__in=[row.entry.pk for row in rows])
    paid = paid_by_result(shown)
    note_look(staff_ids=paid, way=way.value, by=principal, now=timezone.now())


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def reverse_entry(request: HttpRequest, pk: int) -> HttpResponse:
    """Take back what was granted wrongly."""
    principal, now = principal_of(request), timezone.now()
    row = entry_row(principal=principal, entry_id=pk)
    if row is None:
        raise NotFound(_("There is no such entry of the ledger."))
    _note_amounts([row], Look.Way.PAGE, principal)
    form = ReasonForm(request.POST if request.method == "POST" else None)

    def act() -> object:
        reason = form.cleaned_data["reason"]
        return payroll.reverse_entry(entry_id=pk, reason=reason, by=principal, now=now)

    if _done(form, act):
        messages.success(request, _("The award is taken back. Both entries stay in the ledger."))
        return redirect("training:incentives-ledger")
    ledger_link = (_("Ledger"), reverse("training:incentives-ledger"))
    context = {
        "form": form,
        "row": row,
        "trail": [*_trail("")[:1], ledger_link, (_("Take back"), "")],
    }
    return _form_page(request, "reverse", context, form)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def batches(request: HttpRequest) -> HttpResponse:
    """List the payroll batches; what is posted here freezes the next one."""
    principal, now = principal_of(request), timezone.now()
    page = batches_page(principal=principal, page=request.GET.get("page", ""))
    form = FreezeForm(
        request.POST if request.method == "POST" else None,
        currencies=currencies(),
        initial={"through": local_day(now)},
    )
    made: list[PayrollBatch] = []

    def act() -> object:
        frozen = freeze_batch(**form.cleaned_data, by=principal, now=now)
        made.append(frozen)
        return frozen

    if _done(form, act):
        messages.success(request, _("The batch is frozen: its entries are paid in it, once."))
        return redirect("training:incentives-batch", made[0].number)
    context = {"page": page, "form": form, "trail": _trail(_("Payroll"))}
    return _form_page(request, "batches", context, form)


@login_required
@require_safe
def batch(request: HttpRequest, number: int) -> HttpResponse:
    """Show the lines of a payroll batch."""
    principal = principal_of(request)
    found = batch_of(principal, number)
    page = batch_page(found, principal=principal, page=request.GET.get("page", ""))
    _note_amounts(page.lines, Look.Way.LIST, principal)
    payroll = (_("Payroll"), reverse("training:incentives-batches"))
    name = _("Batch %(n)s") % {"n": number}
    context = {"page": page, "trail": [*_trail("")[:1], payroll, (name, "")]}
    return render(request, "training/incentives/batch.html", context)


@login_required
@require_POST
def batch_file(request: HttpRequest, number: int) -> HttpResponse:
    """Give a batch as a file; the ledger of acts says who took it."""
    form = request.POST.get("format", "csv")
    name, content = payroll_file(
        number=number, form=form, by=principal_of(request), now=timezone.now()
    )
    response = HttpResponse(content, content_type=CONTENT_TYPES[form])
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


# ---- The wall ------------------------------------------------------------------------------------
@login_required
@require_safe
def wall(request: HttpRequest) -> HttpResponse:
    """Show the words of thanks that their people consented to show."""
    page = wall_page(principal=principal_of(request), page=request.GET.get("page", ""))
    return render(request, "training/incentives/wall.html", {"page": page})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def write_words(request: HttpRequest) -> HttpResponse:
    """Choose a colleague by name, and write words of thanks for them."""
    principal, now = principal_of(request), timezone.now()
    if principal.staff_id is None:
        raise NotPermitted(_("Who works here writes words of thanks."))
    today, said = local_day(now), request.GET.get("name", "")
    to = colleague_of(principal=principal, number=request.GET.get("to", ""), on=today)
    form = WordsForm(request.POST if request.method == "POST" else None)

    def act() -> object:
        if to is None:
            raise NotFound(_("Nobody of this number works here."))
        given = form.cleaned_data
        return recognise(staff_id=to.staff.pk, **given, by=principal, now=now)

    if _done(form, act):
        said_it = _("Your words are written. They are shown when the person agrees.")
        messages.success(request, said_it)
        return redirect("training:incentives-wall")
    context = {
        "to": to,
        "name": said,
        "found": [] if to else colleagues(principal=principal, said=said, on=today),
        "form": form,
        "trail": [
            (_("Recognition"), reverse("training:incentives-wall")),
            (_("Thank a colleague"), ""),
        ],
    }
    return _form_page(request, "write", context, form)


@login_required
@require_POST
def answer_words(request: HttpRequest, pk: int) -> HttpResponse:
    """Say whether colleagues may see the words that are for me."""
    form = AnswerForm(request.POST)
    if not form.is_valid():
        raise InvalidInput(_("Choose to show the words or to keep them."))
    principal, now, show = principal_of(request), timezone.now(), form.cleaned_data["answer"]
    shown = show == "show"
    return _act(
        request,
        lambda: answer_recognition(recognition_id=pk, show=shown, by=principal, now=now),
        _("The words are on the wall.") if shown else _("The words stay with you."),
        "training:incentives-wall",
    )


@login_required
@require_POST
def take_down(request: HttpRequest, pk: int) -> HttpResponse:
    """Take words off the wall."""
    principal, now = principal_of(request), timezone.now()
    return _act(
        request,
        lambda: recognition.take_down(recognition_id=pk, by=principal, now=now),
        _("The words are taken down."),
        "training:incentives-wall",
    )


# ---- Parts ---------------------------------------------------------------------------------------
def _trail(
    title: str, scheme: Scheme | None = None, *, in_draft: bool = False
) -> list[tuple[str, str]]:
    found = [(_("Incentives"), reverse("training:incentives-list"))]
    if scheme is not None:
        found.append((str(scheme), reverse("training:incentives-scheme", args=[scheme.code])))
    if scheme is not None and in_draft:
        found.append((_("Draft"), reverse("training:incentives-draft", args=[scheme.code])))
    return [*found, (title, "")]


def _act(
    request: HttpRequest, act: Callable[[], object], said: str, back: str, *args: str
) -> HttpResponse:
    """Do what a button asks, and say on the page it leads back to what came of it.

    raises: the refusals that the person cannot mend
    """
    try:
        act()
        messages.success(request, said)
    except DomainError as refusal:
        if refusal.status in (403, 404):
            raise
        reasons = [problem.reason for problem in refusal.problems] or [refusal.message]
        messages.error(request, " ".join(reasons))
    return redirect(back, *args)


# ---- Forms ---------------------------------------------------------------------------------------
def _done(form: forms.Form, act: Callable[[], object], row: int | None = None) -> bool:
    """Do what a form asks when it is whole; else it says what is wrong with it. `row` is the one
    that the form is about: what is wrong with others is said above its fields.

    raises: the refusals that no form can mend
    """
    if not form.is_bound or not form.is_valid():
        return False
    try:
        act()
    except DomainError as refusal:
        if refusal.status in (403, 404):
            raise
        _add_refusal(form, refusal, row)
        return False
    return True


def _add_refusal(form: forms.Form, refusal: DomainError, row: int | None) -> None:
    for problem in refusal.problems:
        is_here = problem.field in form.fields and problem.row == row
        form.add_error(problem.field if is_here else None, problem.reason)
    if not refusal.problems:
        form.add_error(None, refusal.message)


def _form_page(
    request: HttpRequest, template: str, context: dict[str, Any], form: forms.Form
) -> HttpResponse:
    status = 400 if form.is_bound and form.errors else 200
    return render(request, f"training/incentives/{template}.html", context, status=status)
