"""How the weights of one group of siblings came about: the method, and what each expert said.

An expert is a person with an account, or somebody who was invited by a personal link.
"""

from typing import Self

from django.conf import settings as house
from django.db import models
from django.db.models import F, Q
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


class ExpertInvitationQuerySet(models.QuerySet["ExpertInvitation"]):
    def visible_to(self, principal: Principal) -> Self:
        return self if principal.may(Permission.MANAGE_INDICATORS) else self.none()


class ExpertInvitation(models.Model):
    """An expert without an account, asked by a personal link for one group and one method.

    Of the link only a digest is kept: whoever reads the database cannot answer in its place.
    """

    weight_set = models.ForeignKey(WeightSet, on_delete=models.CASCADE, related_name="invitations")
    method = models.CharField(_("method"), max_length=40)
    name = models.CharField(_("name"), max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(_("invited"))
    created_by = models.ForeignKey(
        house.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="expert_invitations",
        null=True,
        blank=True,
    )
    expires_at = models.DateTimeField(_("until"))
    revoked_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)

    objects = ExpertInvitationQuerySet.as_manager()

    class Meta:
        verbose_name = _("invitation of an expert")
        verbose_name_plural = _("invitations of experts")
        constraints = [
            models.UniqueConstraint(
                fields=["weight_set", "method", "name"],
                condition=Q(revoked_at__isnull=True),
                name="expert_invitation_one_link",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="expert_invitation_expires_later"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} on {self.weight_set}"


class ExpertRoundQuerySet(models.QuerySet["ExpertRound"]):
    def visible_to(self, principal: Principal) -> Self:
        return self if principal.may(Permission.MANAGE_INDICATORS) else self.none()


class ExpertRound(models.Model):
    """A round of expert scores that was closed, and what all experts were shown of it.

    `summary` names nobody: the median and the spread of every part, the reasons, how far the
    experts agree.
    """

    weight_set = models.ForeignKey(WeightSet, on_delete=models.CASCADE, related_name="rounds")
    number = models.PositiveSmallIntegerField(_("number"))
    summary = models.JSONField(default=dict)
    closed_at = models.DateTimeField(_("closed"))
    closed_by = models.ForeignKey(
        house.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="closed_rounds",
        null=True,
        blank=True,
    )

    objects = ExpertRoundQuerySet.as_manager()

    class Meta:
        verbose_name = _("round of experts")
        verbose_name_plural = _("rounds of experts")
        constraints = [
            models.UniqueConstraint(fields=["weight_set", "number"], name="expert_round_once"),
        ]

    def __str__(self) -> str:
        return f"round {self.number} on {self.weight_set}"


class JudgementQuerySet(models.QuerySet["Judgement"]):
    def visible_to(self, principal: Principal) -> Self:
        return self if principal.may(Permission.MANAGE_INDICATORS) else self.none()


class Judgement(models.Model):
    """What one expert said for one method, complete or not, and how much that counts.

    `former` is what they had said when the last round was closed.
    """

    weight_set = models.ForeignKey(WeightSet, on_delete=models.CASCADE, related_name="judgements")
    method = models.CharField(_("method"), max_length=40)
    expert = models.ForeignKey(
        house.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="weight_judgements",
        null=True,
        blank=True,
    )
    invitation = models.ForeignKey(
        ExpertInvitation,
        on_delete=models.CASCADE,
        related_name="judgements",
        null=True,
        blank=True,
    )
    answers = models.JSONField(default=dict)
    former = models.JSONField(default=dict, blank=True)
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
            models.UniqueConstraint(fields=["invitation"], name="judgement_once_an_invitation"),
            models.CheckConstraint(
                condition=Q(expert__isnull=False, invitation__isnull=True)
                | Q(expert__isnull=True, invitation__isnull=False),
                name="judgement_of_one_expert",
            ),
            models.CheckConstraint(
                condition=Q(exponent__gte=0, exponent__lte=100), name="judgement_exponent"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.expert or self.invitation} on {self.weight_set}"
