"""Pages of certificates, of training had elsewhere, and of closing a session."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sqcore.base.errors import NotPermitted
from sqcore.identity.principals import Principal, principal_of
from sqcore.org.queries import local_day
from training.certificates import forms, pages, services
from training.certificates.files import handed_out
from training.courses.forms import carried_out, posted
from training.courses.models import Course
from training.courses.pages import plans_somewhere, require_reader
from training.courses.queries import session_named
from training.enrolments.pages import may_close

PER_PAGE = 25


# Certificates ------------------------------------------------------------------------------------


@login_required
@require_safe
def certificates(request: HttpRequest) -> HttpResponse:
    """List the certificates of people, with what they are worth today."""
    principal, now = principal_of(request), timezone.now()
    require_reader(principal)
    asked = forms.CertificateFilter(request.GET).asked()
    found = pages.certificates_listed(principal=principal, asked=asked, now=now)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [pages.certificate_row(each, on=local_day(now)) for each in page],
        "asked": asked,
        "choices": pages.filter_choices(principal),
        "to_decide": pages.claims_to_decide(principal, on=local_day(now)).count(),
    }
    return render(request, "training/certificates/list.html", context)


@login_required
@require_safe
def certificate(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a certificate as it is printed."""
    principal, now = principal_of(request), timezone.now()
    found = pages.certificate_shown(pk, principal=principal, now=now)
    page = pages.certificate_page(certificate=found, principal=principal, now=now)
    context = {"page": page, "certificate": found, "now": now, "trail": _trail(found.number)}
    return render(request, "training/certificates/certificate.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a certificate back, and say why."""
    principal, now = principal_of(request), timezone.now()
    found = pages.certificate_shown(pk, principal=principal, now=now)
    if not pages.certificate_page(certificate=found, principal=principal, now=now).may_revoke:
        raise NotPermitted(_("Who runs training where this person works does this."))
    form = forms.RevokeForm(posted(request))

    def run(asked: dict[str, Any]) -> object:
        return services.revoke_certificate(
            certificate_id=pk, why=asked["why"], by=principal, now=now
        )

    if carried_out(form, run):
        messages.success(request, _("The certificate is revoked; the person is told."))
        return redirect("training:certificates-certificate", pk=pk)
    context = {
        "form": form,
        "title": _("Revoke %(number)s") % {"number": found.number},
        "lead": f"{found.staff.name} · {found.course}",
        "button": _("Revoke it"),
        "is_hard": True,
        "back": reverse("training:certificates-certificate", args=[pk]),
        "trail": _trail(found.number),
    }
    return _form(request, "training/form.html", context)


# Closing a session -------------------------------------------------------------------------------


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def close(request: HttpRequest, code: str) -> HttpResponse:
    """Show what closing a session will do, and do it."""
    principal, now = principal_of(request), timezone.now()
    found = session_named(principal, code)
    if not may_close(principal, found):
        raise NotPermitted(_("Who runs training at the unit closes this session."))
    initial = {"actual_cost": found.planned_cost or None}
    form = forms.CloseForm(posted(request), initial=initial)

    def run(asked: dict[str, Any]) -> object:
        cost = asked["actual_cost"]
        return services.close_session(session_id=found.pk, actual_cost=cost, by=principal, now=now)

    if carried_out(form, run):
        messages.success(request, _("The session is closed; everybody in it is told."))
        return redirect("training:courses-session", code=code)
    page = pages.close_page(session=found, principal=principal, now=now)
    context = {"page": page, "frame": page.frame, "form": form, "trail": page.frame.trail}
    return _form(request, "training/certificates/close.html", context)


# Training had elsewhere --------------------------------------------------------------------------


@login_required
@require_safe
def external(request: HttpRequest) -> HttpResponse:
    """List one's own claims, and those that wait for a decision."""
    principal = principal_of(request)
    require_reader(principal)
    page = pages.external_page(principal=principal, now=timezone.now())
    return render(request, "training/certificates/external.html", {"page": page})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def claim(request: HttpRequest) -> HttpResponse:
    """Claim training that was had elsewhere."""
    principal, now = principal_of(request), timezone.now()
    plans = plans_somewhere(principal)
    if principal.staff_id is None and not plans:
        raise NotPermitted(_("Only who works here has training of their own."))
    form = forms.ClaimForm(
        posted(request), request.FILES or None, courses=pages.course_choices(), for_others=plans
    )

    def run(asked: dict[str, Any]) -> object:
        return services.claim_external(**_claimed(asked, principal), by=principal, now=now)

    if carried_out(form, run):
        messages.success(request, _("It is claimed; another person decides."))
        return redirect("training:certificates-external")
    context = {
        "form": form,
        "title": _("Training had elsewhere"),
        "lead": _(
            "What you learnt outside counts here, once another person has seen what shows it."
        ),
        "button": _("Claim it"),
        "back": reverse("training:certificates-external"),
        "trail": _external_trail(_("Claim")),
    }
    return _form(request, "training/form.html", context)


def _claimed(asked: dict[str, Any], principal: Principal) -> dict[str, Any]:
    """Return a claim as its service takes it."""
    file, staff = asked.pop("evidence"), asked.pop("staff", None)
    return {
        **asked,
        "staff_id": staff.pk if staff else principal.staff_id or 0,
        "course": _course(asked["course"]),
        "cost": asked["cost"] or 0,
        "file_name": file.name if file else "",
        "content": file.read() if file else None,
    }


def _course(code: str) -> Course | None:
    return Course.objects.filter(code=code).first() if code else None


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a claim; who may, accepts it or not."""
    principal, now = principal_of(request), timezone.now()
    found = pages.external_shown(pk, principal=principal, now=now)
    row = pages.claim_page(claim=found, principal=principal, now=now)
    form = forms.DecideForm(
        posted(request),
        courses=pages.course_choices(),
        initial={"course": found.course.code if found.course else ""},
    )

    def run(asked: dict[str, Any]) -> object:
        return services.decide_external(
            external_id=pk,
            approve="approve" in request.POST,
            why=asked["why"],
            course=_course(asked["course"]),
            by=principal,
            now=now,
        )

    if carried_out(form, run):
        messages.success(request, _("It is decided; the person is told."))
        return redirect("training:certificates-external")
    context = {"row": row, "claim": found, "form": form, "trail": _external_trail(found.title)}
    return _form(request, "training/certificates/claim.html", context)


@login_required
@require_safe
def evidence(request: HttpRequest, pk: int) -> HttpResponse:
    """Hand out the evidence of a claim, as a download only."""
    return handed_out(pages.evidence_shown(pk, principal=principal_of(request), now=timezone.now()))


# What these pages share --------------------------------------------------------------------------


def _trail(last: str) -> list[tuple[str, str]]:
    return [(_("Certificates"), reverse("training:certificates-list")), (last, "")]


def _external_trail(last: str) -> list[tuple[str, str]]:
    url = reverse("training:certificates-external")
    return [(_("Training had elsewhere"), url), (last, "")]


def _form(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    status = 400 if context["form"].errors else 200
    return render(request, template, context, status=status)
