"""Pages of weighting: how weights came about, a group of a draft, its experts, its weights.

An expert without an account judges by a personal link: no log-in, no script, no cookie needed.
"""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sqcore.base.errors import Conflict, DomainError, InvalidInput, NotFound
from sqcore.base.text import in_language
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, principal_of
from sqcore.indicators.models import SystemVersion
from sqcore.weighting import expert_page, pages, queries, scoring, services
from sqcore.weighting.forms import InviteForm, MethodForm, SharesForm, form_for
from sqcore.weighting.methods import METHODS, Needs
from sqcore.weighting.models import ExpertInvitation
from sqcore.weighting.queries import Group, Weighting
from sqcore.weighting.robustness import sensitivity_of
from sqcore.weighting.rounds import ScoreRounds
from sqcore.weighting.wording import consistency_of, words_of

Trail = list[tuple[str, str]]
RENEWED_DAYS = 14


@login_required
@require_safe
def version(request: HttpRequest, version_id: int) -> HttpResponse:
    """Show all groups of a version: their weights, and how these came about."""
    principal = principal_of(request)
    found = _version(version_id, principal)
    origins = queries.origins_of(found)
    context = {
        "version": found,
        "origins": [
            (
                origin,
                words_of(origin),
                [(s, pages.percent(s.weight)) for s in origin.group.siblings],
            )
            for origin in origins
        ],
        "is_draft": found.state == SystemVersion.State.DRAFT,
        "trail": [*_above(found), (_("Weights"), "")],
    }
    return render(request, "sqcore/weighting/version.html", context)


@login_required
@require_safe
def group(request: HttpRequest, version_id: int, group: str) -> HttpResponse:
    """Show one group: of a draft how it is weighed, else how its weights came about."""
    principal = principal_of(request)
    found = _version(version_id, principal)
    of = queries.group_of(found, group)
    if found.state != SystemVersion.State.DRAFT:
        return redirect(f"{_overview(found)}#group-{of.code}")
    weighting = queries.weighting_of(found, of, method=request.GET.get("method", ""))
    return _group_page(request, weighting, principal)


@login_required
@require_POST
def choose(request: HttpRequest, version_id: int, group: str) -> HttpResponse:
    """Say how a group is weighed: by which method, with which shares or settings."""
    principal = principal_of(request)
    found = _version(version_id, principal)
    of = queries.group_of(found, group)
    method = request.POST.get("method", "")
    weighting = queries.weighting_of(found, of, method=method)
    form = form_for(weighting, request.POST)
    if isinstance(form, SharesForm) and {"equally", "scale"} & set(request.POST):
        filled = form.equal() if "equally" in request.POST else form.scaled()
        return _group_page(request, weighting, principal, form=form_for(weighting, filled))
    if form is not None and not form.is_valid():
        return _group_page(request, weighting, principal, form=form, status=400)
    told = form.told() if form else {}
    if "watched_asked" in request.POST:
        told["watched"] = request.POST.getlist("watched")
    try:
        services.choose_method(
            version=found, group=of.code, method=method, by=principal, now=timezone.now(), **told
        )
    except DomainError as refusal:
        if form is None:
            raise
        form.show(refusal)
        return _group_page(request, weighting, principal, form=form, status=400)
    return redirect(_address(found, of))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def judge(request: HttpRequest, version_id: int, group: str) -> HttpResponse:
    """Ask one person which of two parts matters more, some pairs at a time."""
    principal = principal_of(request)
    found, of = _open_group(version_id, group, principal)
    weighting = queries.weighting_of(found, of, method=queries.DEFAULT_METHOD)
    expert = weighting.expert_of(user_id=_user_id(principal))
    screens = pages.screens_of(weighting, expert.answers if expert else {})
    if not screens:
        return redirect(_address(found, of))
    screen = pages.screen_asked(screens, request.GET.get("screen", "1"))
    if request.method == "POST":
        services.judge(
            version=found,
            group=of.code,
            answers=pages.answers_in(request.POST, screen),
            by=principal,
            now=timezone.now(),
        )
        if "leave" in request.POST or screen.number == screen.of:
            messages.success(request, _("Your comparisons are kept."))
            return redirect(f"{_address(found, of)}?method={queries.DEFAULT_METHOD}")
        return redirect(f"{_address(found, of, 'judge')}?screen={screen.number + 1}")
    context = {
        "version": found,
        "group": of,
        "screen": screen,
        "words": pages.STRENGTHS.items(),
        "trail": [*_trail(found, of), (_("Compare in pairs"), "")],
        "address": _address(found, of),
    }
    return render(request, "sqcore/weighting/judge.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def score(request: HttpRequest, version_id: int, group: str) -> HttpResponse:
    """Ask one person to score every part from 1 to 10."""
    principal = principal_of(request)
    found, of = _open_group(version_id, group, principal)
    method = ScoreRounds.key
    weighting = queries.weighting_of(found, of, method=method)
    cards = scoring.cards_of(weighting, weighting.expert_of(user_id=_user_id(principal)))
    back = f"{_address(found, of)}?method={method}"
    if request.method == "POST":
        services.judge(
            version=found,
            group=of.code,
            method=method,
            answers=scoring.scores_in(request.POST, cards),
            by=principal,
            now=timezone.now(),
        )
        messages.success(request, _("Your scores are kept."))
        return redirect(back)
    context = {
        "version": found,
        "group": of,
        "cards": cards,
        "round": len(weighting.basis.rounds) + 1,
        "last": queries.rounds_of(weighting.stored, method)[-1:],
        "trail": [*_trail(found, of), (_("Score the parts"), "")],
        "address": back,
    }
    return render(request, "sqcore/weighting/score.html", context)


@login_required
@require_POST
def close_round(request: HttpRequest, version_id: int, group: str) -> HttpResponse:
    """End a round of scores, and begin the next one."""
    principal = principal_of(request)
    found, of = _open_group(version_id, group, principal)
    closed = services.close_round(version=found, group=of.code, by=principal, now=timezone.now())
    messages.success(
        request,
        _("Round %(n)d is closed. All experts see its summary now, and may change their scores.")
        % {"n": closed.number},
    )
    return redirect(f"{_address(found, of)}?method={ScoreRounds.key}")


@login_required
@require_POST
def invite(request: HttpRequest, version_id: int, group: str) -> HttpResponse:
    """Invite an expert without an account, and show the link, this once."""
    principal = principal_of(request)
    found, of = _open_group(version_id, group, principal)
    weighting = queries.weighting_of(found, of, method=request.POST.get("method", ""))
    form = InviteForm(request.POST)
    if not form.is_valid():
        return _group_page(request, weighting, principal, inviting=form, status=400)
    try:
        invitation, address = services.invite_expert(
            version=found,
            group=of.code,
            method=weighting.method,
            by=principal,
            now=timezone.now(),
            **form.told(),
        )
    except InvalidInput as refusal:
        form.show(refusal)
        return _group_page(request, weighting, principal, inviting=form, status=400)
    return _link_page(request, found, of, invitation, address)


@login_required
@require_POST
def link(request: HttpRequest, version_id: int, group: str, invitation_id: int) -> HttpResponse:
    """Give an invited expert another link, or withdraw it."""
    principal = principal_of(request)
    found, of = _open_group(version_id, group, principal)
    if "revoke" in request.POST:
        gone = services.revoke_invitation(
            version=found, invitation_id=invitation_id, by=principal, now=timezone.now()
        )
        messages.success(request, _("The link of %(name)s is withdrawn.") % {"name": gone.name})
        return redirect(f"{_address(found, of)}?method={gone.method}")
    invitation, address = services.renew_link(
        version=found,
        invitation_id=invitation_id,
        days=RENEWED_DAYS,
        by=principal,
        now=timezone.now(),
    )
    return _link_page(request, found, of, invitation, address)


@login_required
@require_safe
def sensitivity(request: HttpRequest, version_id: int) -> HttpResponse:
    """Show how the order of units depends on the weights of a version."""
    principal = principal_of(request)
    principal.require(Permission.VIEW_RESULTS)
    found = _version(version_id, principal)
    context = {
        "version": found,
        "found": sensitivity_of(found, principal=principal),
        "is_draft": found.state == SystemVersion.State.DRAFT,
        "trail": [*_above(found), (_("Weights"), _overview(found)), (_("Sensitivity"), "")],
    }
    return render(request, "sqcore/weighting/sensitivity.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def apply(request: HttpRequest, version_id: int, group: str) -> HttpResponse:
    """Ask whether the proposed weights shall be those of the draft, and write them."""
    principal = principal_of(request)
    found = _version(version_id, principal)
    principal.require(Permission.MANAGE_INDICATORS)
    of = queries.group_of(found, group)
    weighting = queries.weighting_of(found, of)
    if request.method == "POST":
        services.apply_weights(
            version=found,
            group=of.code,
            by=principal,
            now=timezone.now(),
            seen=request.POST.get("seen", "-"),
        )
        messages.success(request, _("The draft has these weights now."))
        return redirect(_overview(found))
    if weighting.stored is None or weighting.weights is None or not weighting.is_draft:
        return redirect(_address(found, of))
    context = {
        "version": found,
        "group": of,
        "weighting": weighting,
        "method": METHODS[weighting.method],
        "rows": pages.rows_of(weighting),
        "trail": [*_trail(found, of), (_("Apply"), "")],
        "address": _address(found, of),
    }
    return render(request, "sqcore/weighting/apply.html", context)


# The address itself is the secret: a foreign page that does not know it can misuse nothing.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def expert(request: HttpRequest, secret: str) -> HttpResponse:
    """Ask an expert without an account, by their personal link."""
    now = timezone.now()
    address = request.META.get("REMOTE_ADDR", "")
    try:
        invitation = queries.invitation_by_secret(secret)
    except NotFound:
        return expert_page.unknown(request, address, now=now)
    found = invitation.weight_set.version
    if why := queries.closed(invitation, found, now=now):
        return expert_page.notice(request, why.value, status=410)
    try:
        of = queries.group_of(found, invitation.weight_set.group)
    except NotFound:  # The draft has lost the group since.
        return expert_page.notice(request, "unknown", status=404)
    weighting = queries.weighting_of(found, of, method=invitation.method)
    asked = expert_page.Asked.of(weighting, invitation, screen=request.GET.get("screen", "1"))
    if request.method != "POST":
        if "done" in request.GET:
            return expert_page.notice(request, "thanks", invitation=invitation, own=asked.own)
        return expert_page.question(request, invitation, asked)
    if expert_page.is_too_much(request, invitation, address, now=now):
        return expert_page.notice(request, "flood", status=429)
    here = reverse("sqcore:weighting-expert", args=[secret])
    try:
        services.judge_by_link(
            invitation=invitation, answers=asked.answers_in(request.POST), now=now
        )
    except InvalidInput:
        return expert_page.notice(request, "incomplete", status=400, again=here)
    except Conflict:  # It was closed a moment ago: the page says why.
        return expert_page.unkept(redirect(here))
    return expert_page.unkept(redirect(f"{here}?{asked.then(request.POST)}"))


def _link_page(
    request: HttpRequest, found: SystemVersion, of: Group, invitation: ExpertInvitation, link: str
) -> HttpResponse:
    """The link, which is stored nowhere and therefore shown only now."""
    context = {
        "version": found,
        "group": of,
        "invitation": invitation,
        "link": link,
        "address": f"{_address(found, of)}?method={invitation.method}",
        "trail": [*_trail(found, of), (_("Link"), "")],
    }
    response = render(request, "sqcore/weighting/link.html", context)
    response["Cache-Control"] = "private, no-store"
    return response


def _group_page(
    request: HttpRequest,
    weighting: Weighting,
    principal: Principal,
    *,
    form: MethodForm | None = None,
    inviting: InviteForm | None = None,
    status: int = 200,
) -> HttpResponse:
    principal.require(Permission.MANAGE_INDICATORS)
    method = METHODS[weighting.method]
    n = len(weighting.basis.codes)
    rows = pages.rows_of(weighting)
    context = {
        "version": weighting.version,
        "group": weighting.group,
        "weighting": weighting,
        "method": method,
        "methods": list(METHODS),
        "is_chosen": weighting.stored is not None and weighting.stored.method == weighting.method,
        "stored_method": METHODS[weighting.stored.method] if weighting.stored else None,
        "rows": rows,
        "together": consistency_of(weighting.proposal.facts),
        "pairs": n * (n - 1) // 2,
        "parts": n,
        "may_judge": principal.user is not None,
        "form": form or form_for(weighting),
        "watchable": any(row.now == 0 for row in rows) or weighting.watched,
        "trail": _trail(weighting.version, weighting.group, is_last=True),
        **_experts(weighting, principal, inviting),
    }
    return render(request, "sqcore/weighting/group.html", context, status=status)


def _experts(
    weighting: Weighting, principal: Principal, inviting: InviteForm | None
) -> dict[str, object]:
    """What the page of a group shows of the experts, where the method asks any."""
    needs = METHODS[weighting.method].needs
    if not needs.asks_experts:
        return {}
    own = weighting.expert_of(user_id=_user_id(principal))
    found: dict[str, object] = {
        "own": pages.own_of(weighting, own) if needs == Needs.COMPARISONS else None,
        "own_scores": own if needs == Needs.SCORES else None,
        "experts": pages.expert_rows(weighting),
        "invitations": [
            (each, bool(each.judgements.all()), timezone.now() >= each.expires_at)
            for each in queries.invitations_of(weighting.stored, weighting.method)
        ],
        "inviting": inviting or InviteForm(),
    }
    if needs == Needs.SCORES:
        closed = queries.rounds_of(weighting.stored, weighting.method)
        scorers = scoring.scorer_rows(weighting, closed)
        found |= {
            "scorers": scorers,
            "agreement": scoring.agreement_words(weighting.proposal.facts),
            "part_rows": scoring.part_rows(weighting),
            "rounds": scoring.round_rows(closed),
            "round": len(closed) + 1,
            "may_close": sum(row.is_in for row in scorers) >= services.FEWEST_EXPERTS
            and any(row.is_new for row in scorers),
            "are_few": len(scorers) < scoring.FEW,
        }
    return found


def _version(version_id: int, principal: Principal) -> SystemVersion:
    """The version; a draft is for those who may change it."""
    found = queries.version_by_id(version_id, principal=principal)
    if found.state == SystemVersion.State.DRAFT:
        principal.require(Permission.MANAGE_INDICATORS)
    return found


def _open_group(version_id: int, group: str, principal: Principal) -> tuple[SystemVersion, Group]:
    """The group of a draft that this person may weigh. raises: Conflict when it is published"""
    found = _version(version_id, principal)
    principal.require(Permission.MANAGE_INDICATORS)
    if found.state != SystemVersion.State.DRAFT:
        raise Conflict(_("A published version never changes. Draft the next one instead."))
    return found, queries.group_of(found, group)


def _user_id(principal: Principal) -> int:
    return principal.user.pk if principal.user else 0


def _overview(found: SystemVersion) -> str:
    return reverse("sqcore:weighting-version", args=[found.pk])


def _address(found: SystemVersion, of: Group, page: str = "group") -> str:
    return reverse(f"sqcore:weighting-{page}", args=[found.pk, of.code])


def _trail(found: SystemVersion, of: Group, *, is_last: bool = False) -> Trail:
    return [
        *_above(found),
        (_("Weights"), _overview(found)),
        (of.name, "" if is_last else _address(found, of)),
    ]


def _above(found: SystemVersion) -> Trail:
    code, number = found.system.code, found.number
    return [
        (_("Indicator systems"), reverse("sqcore:indicators-systems")),
        (in_language(found.system.name), reverse("sqcore:indicators-system", args=[code])),
        (
            _("Version %(number)d") % {"number": number},
            reverse("sqcore:indicators-version", args=[code, number]),
        ),
    ]
