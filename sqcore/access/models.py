"""Tokens of REST clients: only a digest is kept; bounded in what, where and how long."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Unit


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def visible_to(self, principal: Principal) -> Self:
        return self if principal.may(Permission.MANAGE_USERS) else self.none()


class ApiToken(models.Model):
    """A REST client's key. `prefix` finds it, `digest` (SHA-256 of the whole key) proves it."""

    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(max_length=12, unique=True)
    digest = models.CharField(max_length=64)
    permissions = models.JSONField(_("permissions"))
    units = models.ManyToManyField(Unit, verbose_name=_("units"), blank=True, related_name="tokens")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="api_tokens", null=True
    )
    created_at = models.DateTimeField(_("made"))
    expires_at = models.DateTimeField(_("expires"))
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    last_used_on = models.DateField(_("last used"), null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="api_token_expires_later"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"

    @property
    def may(self) -> frozenset[Permission]:
        return frozenset(Permission(code) for code in self.permissions)
