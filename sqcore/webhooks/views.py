"""The pages of webhooks, for administrators."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sqcore.base.errors import DomainError
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import principal_of
from sqcore.webhooks import services
from sqcore.webhooks.forms import WebhookForm
from sqcore.webhooks.models import Webhook
from sqcore.webhooks.queries import newest_messages, webhook_by_id, webhook_rows


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def webhooks(request: HttpRequest) -> HttpResponse:
    """All webhooks and the form for a new one; its secret is shown in the answer, once."""
    principal = principal_of(request)
    principal.require(Permission.MANAGE_USERS)
    form = WebhookForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                webhook, secret = services.make_webhook(
                    by=principal, now=timezone.now(), **form.asked()
                )
            except DomainError as refusal:
                form.show(refusal)
            else:
                return _secret_page(request, webhook, secret)
    context = {"form": form, "rows": webhook_rows(principal)}
    return render(request, "sqcore/webhooks/webhooks.html", context, status=status)


@login_required
@require_safe
def webhook(request: HttpRequest, webhook_id: int) -> HttpResponse:
    """One webhook and what was last sent to it."""
    principal = principal_of(request)
    principal.require(Permission.MANAGE_USERS)
    found = webhook_by_id(webhook_id, principal=principal)
    context = {"webhook": found, "sent": newest_messages(found)}
    return render(request, "sqcore/webhooks/webhook.html", context)


@login_required
@never_cache
@require_POST
def renew(request: HttpRequest, webhook_id: int) -> HttpResponse:
    principal = principal_of(request)
    found = webhook_by_id(webhook_id, principal=principal)
    secret = services.renew_secret(webhook=found, by=principal, now=timezone.now())
    return _secret_page(request, found, secret)


@login_required
@require_POST
def end(request: HttpRequest, webhook_id: int) -> HttpResponse:
    principal = principal_of(request)
    found = webhook_by_id(webhook_id, principal=principal)
    services.end_webhook(webhook=found, by=principal, now=timezone.now())
    messages.success(request, _("“%(name)s” gets nothing more.") % {"name": found.name})
    return redirect("sqcore:webhooks-list")


@login_required
@require_POST
def try_it(request: HttpRequest, webhook_id: int) -> HttpResponse:
    principal = principal_of(request)
    found = webhook_by_id(webhook_id, principal=principal)
    services.ping(webhook=found, by=principal, now=timezone.now())
    messages.success(request, _("A test message is on its way."))
    return redirect("sqcore:webhooks-webhook", found.pk)


@login_required
@require_POST
def again(request: HttpRequest, webhook_id: int) -> HttpResponse:
    principal = principal_of(request)
    found = webhook_by_id(webhook_id, principal=principal)
    count = services.send_again(webhook=found, by=principal, now=timezone.now())
    text = ngettext(
        "%(count)s message is sent again.", "%(count)s messages are sent again.", count
    ) % {"count": count}
    messages.success(request, text)
    return redirect("sqcore:webhooks-webhook", found.pk)


def _secret_page(request: HttpRequest, webhook: Webhook, secret: str) -> HttpResponse:
    return render(request, "sqcore/webhooks/made.html", {"webhook": webhook, "secret": secret})
