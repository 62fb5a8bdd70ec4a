"""What an improvement leaves behind: standards in versions, linked to their indicator."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from improvement.tickets.models import Ticket
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Unit


class StandardQuerySet(models.QuerySet["Standard"]):
    def visible_to(self, principal: Principal) -> Self:
        """Standards are there to be read: everybody sees those of the whole and of their units."""
        scope = principal.scope(Permission.VIEW_TICKETS)
        if scope.everywhere:
            return self
        if not scope:
            return self.none()
        return self.filter(Q(unit__isnull=True) | Q(unit_id__in=scope.units))


class Standard(models.Model):
    """A rule of how a service is done; title and text are those of its newest approved version."""

    code = models.SlugField(_("code"), max_length=50, unique=True)
    title = models.CharField(_("title"), max_length=200)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="standards", null=True)
    indicator = models.CharField(_("indicator"), max_length=80, blank=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    objects = StandardQuerySet.as_manager()

    class Meta:
        verbose_name = _("standard")
        verbose_name_plural = _("standards")

    def __str__(self) -> str:
        return self.title


class StandardVersion(models.Model):
    """One version of a standard: written by one, approved by another, and never changed then.

    A newer one takes its place on its first day. A draft is one that nobody has approved yet.
    """

    standard = models.ForeignKey(Standard, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveSmallIntegerField(_("version"))
    title = models.CharField(_("title"), max_length=200)
    text = models.TextField(_("text"), max_length=20000)
    valid_from = models.DateField(_("valid from"))
    ticket = models.ForeignKey(
        Ticket, on_delete=models.PROTECT, related_name="standard_versions", null=True
    )
    written_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    written_at = models.DateTimeField()
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    approved_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("version of a standard")
        verbose_name_plural = _("versions of standards")
        ordering = ["standard_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["standard", "number"], name="standard_version_once"),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(written_by=models.F("approved_by")),
                name="standard_version_by_two",
            ),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True, approved_at__isnull=True)
                | Q(approved_by__isnull=False, approved_at__isnull=False),
                name="standard_version_approved_at_a_time",
            ),
            models.UniqueConstraint(
                fields=["standard"],
                condition=Q(approved_at__isnull=True),
                name="standard_one_draft",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.standard} {self.number}"
