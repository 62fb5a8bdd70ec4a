"""How the weights of one group of siblings came about: the method, and what each expert said."""

from typing import Self

from django.conf import settings as house
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.models import SystemVersion


class WeightSetQuerySet(models.QuerySet["WeightSet"]):
    def visible_to(self, principal: Principal) -> Self:
        """Who sees results may know how published weights came about; drafts are their makers'."""
        if principal.may(Permission.MANAGE_INDICATORS):
            return self
        if principal.may(Permission.VIEW_RESULTS):
            return self.exclude(version__state=SystemVersion.State.DRAFT)
        return self.none()


class WeightSet(models.Model):
    """The weighting of one group of a version: its top dimensions (`group` is TOP), or what stands
    in the dimension of that code.

    `method` is a key of METHODS and `settings` what that method is told. `watched` are codes that
    get the weight 0; None: those that have it now. `applied` is what was written into the draft
    the last time, weights by code with the method and its facts; it stays with the version when
    that is published.
    """

    version = models.ForeignKey(SystemVersion, on_delete=models.CASCADE, related_name="weight_sets")
    group = models.SlugField(_("group"), max_length=50)
    method = models.CharField(_("method"), max_length=40)
    settings = models.JSONField(default=dict, blank=True)
    watched = models.JSONField(null=True, blank=True)
    applied = models.JSONField(null=True, blank=True)
    applied_at = models.DateTimeField(_("applied"), null=True, blank=True)
    applied_by = models.ForeignKey(
        house.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="applied_weights",
        null=True,
        blank=True,
    )

    objects = WeightSetQuerySet.as_manager()

    class Meta:
        verbose_name = _("weighting")
        verbose_name_plural = _("weightings")
        constraints = [
            models.UniqueConstraint(fields=["version", "group"], name="weight_set_once_a_group"),
            models.CheckConstraint(
                condition=Q(applied__isnull=True, applied_at__isnull=True)
                | Q(applied__isnull=False, applied_at__isnull=False),
                name="weight_set_applied_at",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version}: {self.group}"


class JudgementQuerySet(models.QuerySet["Judgement"]):
    def visible_to(self, principal: Principal) -> Self:
        return self if principal.may(Permission.MANAGE_INDICATORS) else self.none()


class Judgement(models.Model):
    """What one expert said for one method, complete or not, and how much that counts."""

    weight_set = models.ForeignKey(WeightSet, on_delete=models.CASCADE, related_name="judgements")
    method = models.CharField(_("method"), max_length=40)
    expert = models.ForeignKey(
        house.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="weight_judgements"
    )
    answers = models.JSONField(default=dict)
    exponent = models.DecimalField(_("counts"), max_digits=5, decimal_places=2, default=1)
    said_at = models.DateTimeField(_("said"))

    objects = JudgementQuerySet.as_manager()

    class Meta:
        verbose_name = _("judgement")
        verbose_name_plural = _("judgements")
        constraints = [
            models.UniqueConstraint(
                fields=["weight_set", "method", "expert"], name="judgement_once_an_expert"
            ),
            models.CheckConstraint(
                condition=Q(exponent__gte=0, exponent__lte=100), name="judgement_exponent"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.expert} on {self.weight_set}"
