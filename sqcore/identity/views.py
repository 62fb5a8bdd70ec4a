"""Pages of the own account: log in and out, password, profile, the first administrator."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import (
    LoginView,
    LogoutView,
    PasswordChangeView,
    PasswordResetCompleteView,
    PasswordResetConfirmView,
    PasswordResetDoneView,
    PasswordResetView,
)
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from sqcore.base.errors import DomainError
from sqcore.identity import services
from sqcore.identity.forms import DisplayForm, FirstAdministratorForm, LogInForm, ProfileForm
from sqcore.identity.models import User
from sqcore.identity.queries import THEME_COOKIE

YEAR = 365 * 24 * 3600


class LogIn(LoginView):
    template_name = "sqcore/identity/log_in.html"
    authentication_form = LogInForm
    redirect_authenticated_user = True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().get(request, *args, **kwargs)
        if request.headers.get("HX-Request") == "true":
            # A part of a page refreshed itself after the session ended: the whole page must go.
            response["HX-Redirect"] = request.get_full_path()
        return response

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        user: User = form.get_user()
        return with_display(response, language=user.language, theme=user.theme)


class LogOut(LogoutView):
    http_method_names = ["post", "options"]


class PasswordReset(PasswordResetView):
    template_name = "sqcore/identity/password_reset.html"
    email_template_name = "sqcore/identity/password_reset_mail.txt"
    subject_template_name = "sqcore/identity/password_reset_subject.txt"
    success_url = reverse_lazy("sqcore:identity-password-reset-sent")

    @property
    def extra_email_context(self) -> dict[str, str]:  # type: ignore[override]  # read once a request
        """The link leads to the address of the installation, whatever host was asked."""
        base = urlsplit(settings.BASE_URL)
        return {"protocol": base.scheme, "domain": base.netloc}


class PasswordResetSent(PasswordResetDoneView):
    template_name = "sqcore/identity/password_reset_sent.html"


class PasswordResetConfirm(PasswordResetConfirmView):
    template_name = "sqcore/identity/password_reset_confirm.html"
    success_url = reverse_lazy("sqcore:identity-password-reset-done")


class PasswordResetDone(PasswordResetCompleteView):
    template_name = "sqcore/identity/password_reset_done.html"


class PasswordChange(PasswordChangeView):
    template_name = "sqcore/identity/password.html"
    success_url = reverse_lazy("sqcore:identity-profile")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, _("Your password is changed."))
        return super().form_valid(form)


@login_required
def profile(request: HttpRequest) -> HttpResponse:
    """Show and change the own name, e-mail, language and appearance."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - login_required says so, this tells the type checker
    form = ProfileForm(request.POST or None, instance=User.objects.get(pk=user.pk))
    if request.method == "POST" and form.is_valid():
        chosen = services.save_profile(user=user, **form.cleaned_data)
        with override(chosen.language):
            messages.success(request, _("Your profile is saved."))
        response = redirect("sqcore:identity-profile")
        return with_display(response, language=chosen.language, theme=chosen.theme)
    return render(request, "sqcore/identity/profile.html", {"form": form})


@require_POST
def display(request: HttpRequest) -> HttpResponse:
    """Switch language or appearance, before log-in for this browser, after it for the person."""
    form = DisplayForm(request.POST)
    if not form.is_valid():
        return HttpResponse(status=400)
    language = form.cleaned_data["language"] or None
    theme = form.cleaned_data["theme"] or None
    if isinstance(request.user, User):
        services.save_display(user=request.user, language=language, theme=theme)
    if request.headers.get("Accept") == "application/json":
        response = HttpResponse(status=204)
    else:
        response = redirect(_safe_next(request))
    return with_display(response, language=language, theme=theme)


@sensitive_post_parameters("password", "password_again")
def first_administrator(request: HttpRequest, token: str) -> HttpResponse:
    """Make the first user of an empty installation."""
    try:
        services.check_first_administrator_token(token=token)
    except DomainError as refusal:
        context = {"refusal": refusal.message}
        return render(
            request, "sqcore/identity/first_administrator.html", context, status=refusal.status
        )
    form = FirstAdministratorForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        fields = {key: form.cleaned_data[key] for key in ("username", "name", "email", "password")}
        user = services.create_first_administrator(
            token=token, language=request.LANGUAGE_CODE, **fields
        )
        login(request, user, backend="django.contrib.auth.backends.ModelBackend")
        return redirect(settings.LOGIN_REDIRECT_URL)
    return render(request, "sqcore/identity/first_administrator.html", {"form": form})


def with_display(
    response: HttpResponse, *, language: str | None = None, theme: str | None = None
) -> HttpResponse:
    """Put the choice into cookies, so that pages before log-in look the same."""
    common: dict[str, Any] = {
        "max_age": YEAR,
        "samesite": "Lax",
        "secure": settings.SESSION_COOKIE_SECURE,
        "httponly": True,
    }
    if language is not None:
        response.set_cookie(settings.LANGUAGE_COOKIE_NAME, language, **common)
    if theme is not None:
        response.set_cookie(THEME_COOKIE, theme, **common)
    return response


def _safe_next(request: HttpRequest) -> str:
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if safe else "/"
