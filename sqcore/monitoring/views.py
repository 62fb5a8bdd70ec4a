"""The pages of control charts and signals, and what people write on a chart."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sqcore.base.errors import DomainError, InvalidInput
from sqcore.dashboards.panels import Page, panels_on
from sqcore.identity.principals import Principal, principal_of
from sqcore.monitoring import pages, services
from sqcore.monitoring.early_page import early_page, lines_in
from sqcore.monitoring.forms import (
    AnnotationForm,
    BaselineForm,
    MuteForm,
    RowForm,
    asked_chart,
    asked_signals,
    asked_warnings,
)
from sqcore.monitoring.funnel_page import funnel_page
from sqcore.monitoring.pages import ChartPage
from sqcore.monitoring.signals_page import signals_page
from sqcore.org.queries import local_day

PER_PAGE = 25


@login_required
@require_safe
def signals(request: HttpRequest) -> HttpResponse:
    """What changed for the worse beyond what chance explains, and how much chance would give."""
    principal, today = principal_of(request), local_day(timezone.now())
    page = signals_page(principal=principal, asked=asked_signals(request.GET), today=today)
    shown = Paginator(page.signals, PER_PAGE).get_page(request.GET.get("page"))
    lines = page.lines_of(list(shown), today)
    context = {"signals": page, "page": shown, "lines": lines}
    return render(request, "sqcore/monitoring/signals.html", context)


@login_required
@require_safe
def early_warnings(request: HttpRequest) -> HttpResponse:
    """What will not stay where it should be if it goes on as it did, and what became of such."""
    principal = principal_of(request)
    page = early_page(principal, asked_warnings(request.GET))
    shown = Paginator(page.warnings, PER_PAGE).get_page(request.GET.get("page"))
    context = {"early": page, "page": shown, "lines": lines_in(principal, list(shown))}
    return render(request, "sqcore/monitoring/early.html", context)


@login_required
@require_safe
def funnel(request: HttpRequest, system: str, code: str) -> HttpResponse:
    """The units of one indicator and period beside each other, with what chance allows."""
    page = funnel_page(
        principal=principal_of(request),
        system=system,
        code=code,
        grain=request.GET.get("grain", ""),
        period=request.GET.get("period", ""),
    )
    return render(request, "sqcore/monitoring/funnel.html", {"page": page})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def chart(request: HttpRequest, system: str, unit: str, code: str) -> HttpResponse:
    """One series on its control chart; what is posted here is written on it."""
    principal, now = principal_of(request), timezone.now()
    page = pages.chart_page(
        principal=principal,
        system=system,
        unit=unit,
        code=code,
        asked=asked_chart(request.GET),
        today=local_day(now),
    )
    wrong: dict[str, forms.Form] = {}
    if request.method == "POST":
        asked = request.POST.get("do", "")
        done, form = _act(asked, request.POST, page, principal, now)
        if done:
            messages.success(request, done)
            return redirect(request.get_full_path())
        wrong = {_place(asked, request.POST): form}
    panels = panels_on(Page.CHART, principal=principal, now=now, subject=page.chart.key)
    context = {"page": page, "panels": panels, **_forms(page, wrong)}
    status = 400 if wrong else 200
    return render(request, "sqcore/monitoring/chart.html", context, status=status)


Act = Callable[[Any, ChartPage, Principal, datetime], str]


def _act(
    asked: str, sent: Mapping[str, str], page: ChartPage, by: Principal, now: datetime
) -> tuple[str, forms.Form]:
    """Do what was asked; return what to say of it, or nothing and the form that says what is wrong.

    raises: InvalidInput for what cannot be asked here, and the refusals that no form can mend
    """
    if asked not in _ACTS:
        raise InvalidInput(_("This cannot be done here."))
    kind, act = _ACTS[asked]
    form = (
        BaselineForm(sent, prefix=_prefix(asked), kinds=page.kinds)
        if kind is BaselineForm
        else kind(sent, prefix=_prefix(asked))
    )
    if form.is_valid():
        try:
            return act(form, page, by, now), form
        except DomainError as refusal:
            if refusal.status in (403, 404):
                raise
            _add_refusal(form, refusal)
    return "", form


def _annotate(form: AnnotationForm, page: ChartPage, by: Principal, now: datetime) -> str:
    told = form.cleaned_data
    services.annotate(
        kind=told["kind"],
        unit=page.chart.unit,
        code=page.chart.key.code if told["reach"] == "code" else "",
        starts_on=told["starts_on"],
        ends_on=form.ends_on,
        text=told["text"],
        by=by,
        now=now,
    )
    return _("It is written on the chart.")


def _withdraw(form: RowForm, page: ChartPage, by: Principal, now: datetime) -> str:
    services.withdraw_annotation(annotation_id=form.row_id, by=by, now=now)
    return _("It is no longer on the chart.")


def _mute(form: MuteForm, page: ChartPage, by: Principal, now: datetime) -> str:
    told = form.cleaned_data
    services.mute_signal(
        signal_id=form.row_id, until=told["until"], reason=told["reason"], by=by, now=now
    )
    return _("The signal is silent until that day.")


def _unmute(form: RowForm, page: ChartPage, by: Principal, now: datetime) -> str:
    services.unmute_signal(signal_id=form.row_id, by=by, now=now)
    return _("The signal speaks again.")


def _rebase(form: BaselineForm, page: ChartPage, by: Principal, now: datetime) -> str:
    told = form.cleaned_data
    made = services.propose_baseline(
        key=page.chart.key,
        starts_on=told["starts_on"],
        ends_on=form.ends_on,
        applies_from=told["applies_from"],
        reason=told["reason"],
        by=by,
        now=now,
        kind=told.get("kind", ""),
    )
    if made.state == made.State.IN_FORCE:
        return _("The new baseline is in force.")
    return _("The new baseline is proposed; somebody else decides on it.")


def _accept(form: RowForm, page: ChartPage, by: Principal, now: datetime) -> str:
    services.decide_baseline(baseline_id=form.row_id, accept=True, by=by, now=now)
    return _("The new baseline is in force.")


def _decline(form: RowForm, page: ChartPage, by: Principal, now: datetime) -> str:
    services.decide_baseline(baseline_id=form.row_id, accept=False, by=by, now=now)
    return _("The proposal is declined; the old limits stay.")


_ACTS: dict[str, tuple[type[forms.Form], Act]] = {
    "annotate": (AnnotationForm, _annotate),
    "withdraw": (RowForm, _withdraw),
    "mute": (MuteForm, _mute),
    "unmute": (RowForm, _unmute),
    "rebase": (BaselineForm, _rebase),
    "accept": (RowForm, _accept),
    "decline": (RowForm, _decline),
}


def _prefix(asked: str) -> str | None:
    """The forms of which there is one on the page have names of their own."""
    return {"annotate": "note", "rebase": "base"}.get(asked)


def _place(asked: str, sent: Mapping[str, str]) -> str:
    return f"{asked}-{sent.get('row', '')}" if asked in ("mute", "unmute") else asked


def _forms(page: ChartPage, wrong: Mapping[str, forms.Form]) -> dict[str, Any]:
    """The forms of the page, one of them as it came back with what is wrong in it."""
    like = page.chart.seen[-1].period
    asked = next(iter(wrong), "")
    days = {"starts_on": like.start, "last_on": like.start}
    note = wrong.get("annotate")
    if not isinstance(note, AnnotationForm):
        note = AnnotationForm(prefix="note", initial=days)
    return {
        "note_form": note if page.may_approve else note.without_exclusion(),
        "base_form": wrong.get("rebase") or BaselineForm(prefix="base", kinds=page.kinds),
        "mute_lines": [
            (
                line,
                wrong.get(f"mute-{line.signal.pk}")
                or MuteForm(auto_id=f"id_mute{line.signal.pk}_%s"),
            )
            for line in page.signals
        ],
        "wrong": asked,
        "refused": _refused(asked, wrong),
    }


def _refused(asked: str, wrong: Mapping[str, forms.Form]) -> list[str]:
    """What is wrong with a button, which has no fields to say it beside."""
    form = wrong.get(asked)
    if not isinstance(form, RowForm) or isinstance(form, MuteForm):
        return []
    return [str(error) for errors in form.errors.values() for error in errors]


def _add_refusal(form: forms.Form, refusal: DomainError) -> None:
    names = {"ends_on": "last_on"}
    for problem in refusal.problems:
        name = names.get(problem.field, problem.field)
        form.add_error(name if name in form.fields else None, problem.reason)
    if not refusal.problems:
        form.add_error(None, refusal.message)
