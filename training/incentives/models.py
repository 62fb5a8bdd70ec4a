"""Incentives: schemes and their rules in versions, proposals, two-step decisions, the ledger,
payroll batches; and the recognition wall."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from sqcore.base.append_only import AppendOnly
from sqcore.base.periods import Grain
from sqcore.base.text import in_language, validate_translated
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Staff, Unit

NEVER_CHANGED = AppendOnly(
    tables=(
        "training_decision",
        "training_ledgerentry",
        "training_payrollbatch",
        "training_batchline",
    ),
    function="training_ledger_refuse",
    message="the ledger of awards is never changed",
)


def _awards_seen_by(principal: Principal) -> Q:
    """One's own, and of people of units whose awards one may see."""
    scope = principal.scope(Permission.VIEW_AWARDS)
    if scope.everywhere:
        return Q()
    own = Q(staff_id=principal.staff_id) if principal.staff_id else Q(pk__in=[])
    return own | Q(unit_id__in=scope.units)


class SchemeQuerySet(models.QuerySet["Scheme"]):
    def visible_to(self, principal: Principal) -> Self:
        """Rules are for everyone: who works here reads those in force, who sees awards all."""
        if principal.may(Permission.VIEW_AWARDS) or principal.may(Permission.MANAGE_AWARDS):
            return self
        return self.filter(state=Scheme.State.ACTIVE) if principal.staff_id else self.none()


class Scheme(models.Model):
    """A way in which good service is rewarded. `budget` caps what is approved in one period, in
    minor units of `currency`."""

    class Kind(models.TextChoices):
        PAY = "pay", _("Pay")
        CAREER = "career", _("Career")
        HONOUR = "honour", _("Honour")
        FEEDBACK = "feedback", _("Feedback")

    class State(models.TextChoices):
        DRAFT = "draft", pgettext_lazy("state of a scheme", "Draft")
        ACTIVE = "active", pgettext_lazy("state of a scheme", "In force")
        OFF = "off", pgettext_lazy("state of a scheme", "Switched off")

    code = models.SlugField(_("code"), max_length=50, unique=True)
    name = models.JSONField(_("name"), validators=[validate_translated])
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    grain = models.CharField(_("every"), max_length=8, choices=Grain, default=Grain.QUARTER)
    currency = models.CharField(_("currency"), max_length=3, blank=True, default="CNY")
    budget = models.PositiveBigIntegerField(_("budget of a period"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=6, choices=State, default=State.DRAFT)
    created_at = models.DateTimeField()

    objects = SchemeQuerySet.as_manager()

    class Meta:
        verbose_name = _("incentive scheme")
        verbose_name_plural = _("incentive schemes")
        constraints = [
            models.CheckConstraint(
                condition=~Q(kind="pay") | (Q(budget__isnull=False) & ~Q(currency="")),
                name="scheme_of_pay_has_budget",
            ),
        ]

    def __str__(self) -> str:
        return in_language(self.name)


class SchemeVersion(models.Model):
    """The rules of a scheme: `[{"rule": key, ...parameters}]`. Fixed once published; tried on
    history before."""

    scheme = models.ForeignKey(Scheme, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveSmallIntegerField(_("version"))
    rules = models.JSONField(_("rules"), default=list)
    reason = models.CharField(_("why"), max_length=300, blank=True)
    valid_from = models.DateField(_("from"), null=True)
    written_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    written_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("version of a scheme")
        verbose_name_plural = _("versions of schemes")
        ordering = ["scheme_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["scheme", "number"], name="scheme_version_once"),
            models.UniqueConstraint(
                fields=["scheme"],
                condition=Q(published_at__isnull=True),
                name="scheme_version_one_draft",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scheme} {self.number}"


class Trial(models.Model):
    """What a version would have proposed in past periods: people, cost against the budget, and
    selection ratios between groups. Below 0.8 it is blocked until somebody reviews it."""

    version = models.ForeignKey(SchemeVersion, on_delete=models.CASCADE, related_name="trials")
    starts_on = models.DateField(_("from"))
    ends_on = models.DateField(_("until"))
    outcome = models.JSONField(default=dict)
    rules_hash = models.CharField(max_length=64)
    is_blocking = models.BooleanField(default=False)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    made_at = models.DateTimeField()
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    reviewed_at = models.DateTimeField(null=True)
    review = models.CharField(_("review"), max_length=1000, blank=True)

    class Meta:
        verbose_name = _("trial on history")
        verbose_name_plural = _("trials on history")

    def __str__(self) -> str:
        return f"{self.version} {self.starts_on}"


class ProposalQuerySet(models.QuerySet["Proposal"]):
    def visible_to(self, principal: Principal) -> Self:
        """One's own once they are granted, and of people of units whose awards one may see."""
        scope = principal.scope(Permission.VIEW_AWARDS)
        if scope.everywhere:
            return self
        own = Q(staff_id=principal.staff_id, state="approved")
        return self.filter(
            (own if principal.staff_id else Q(pk__in=[])) | Q(unit_id__in=scope.units)
        )


class Proposal(models.Model):
    """What a scheme proposes for one person and period; nothing happens before two people agree.

    `basis` holds what the approvers must see: rule by rule the reasons and amounts, the estimate
    with its interval, gate, disputes. One a scheme, period and person.
    """

    class State(models.TextChoices):
        PROPOSED = "proposed", pgettext_lazy("state of an award", "Proposed")
        REVIEWED = "reviewed", pgettext_lazy("state of an award", "Reviewed")
        APPROVED = "approved", pgettext_lazy("state of an award", "Approved")
        DECLINED = "declined", pgettext_lazy("state of an award", "Declined")

    version = models.ForeignKey(SchemeVersion, on_delete=models.PROTECT, related_name="proposals")
    scheme = models.ForeignKey(Scheme, on_delete=models.PROTECT, related_name="proposals")
    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="award_proposals")
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+")
    period_start = models.DateField(_("period"))
    amount = models.PositiveBigIntegerField(_("amount"), default=0)
    title = models.JSONField(_("what for"), validators=[validate_translated])
    basis = models.JSONField(default=dict)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.PROPOSED)
    proposed_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    objects = ProposalQuerySet.as_manager()

    class Meta:
        verbose_name = _("proposed award")
        verbose_name_plural = _("proposed awards")
        constraints = [
            models.UniqueConstraint(
                fields=["scheme", "staff", "period_start"], name="proposal_once_a_period"
            ),
        ]
        indexes = [
            models.Index(fields=["state", "period_start"], name="proposal_by_state"),
            models.Index(fields=["unit", "state"], name="proposal_of_unit"),
        ]

    def __str__(self) -> str:
        return f"{self.scheme_id} {self.staff_id} {self.period_start}"


class Decision(models.Model):
    """One step of a proposal: who, yes or no, and why. Two steps by two people."""

    class Step(models.IntegerChoices):
        REVIEW = 1, _("Review by the manager")
        APPROVAL = 2, _("Approval by HR")

    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, related_name="decisions")
    step = models.PositiveSmallIntegerField(_("step"), choices=Step)
    agrees = models.BooleanField(_("agrees"))
    reason = models.CharField(_("why"), max_length=1000)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("decision on an award")
        verbose_name_plural = _("decisions on awards")
        constraints = [
            models.UniqueConstraint(fields=["proposal", "step"], name="decision_once_a_step"),
            models.UniqueConstraint(fields=["proposal", "by"], name="decision_by_two_people"),
            models.CheckConstraint(condition=~Q(reason=""), name="decision_has_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.proposal_id} {self.step}"


class LedgerEntryQuerySet(models.QuerySet["LedgerEntry"]):
    def visible_to(self, principal: Principal) -> Self:
        return self.filter(_awards_seen_by(principal))


class LedgerEntry(models.Model):
    """Money or honour that somebody was granted; never changed, what was wrong is reversed by an
    entry of the opposite amount. `key` is its natural key. Amounts in minor units."""

    key = models.CharField(max_length=80, unique=True)
    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="ledger")
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+")
    scheme = models.ForeignKey(Scheme, on_delete=models.PROTECT, related_name="ledger")
    proposal = models.OneToOneField(
        Proposal, on_delete=models.PROTECT, related_name="entry", null=True
    )
    reverses = models.OneToOneField(
        "self", on_delete=models.PROTECT, related_name="reversal", null=True
    )
    period_start = models.DateField(_("period"))
    amount = models.BigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    title = models.JSONField(_("what for"), validators=[validate_translated])
    reason = models.CharField(_("why"), max_length=1000, blank=True)
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    entered_at = models.DateTimeField()

    objects = LedgerEntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("entry of the ledger")
        verbose_name_plural = _("entries of the ledger")
        constraints = [
            models.CheckConstraint(
                condition=Q(proposal__isnull=False, reverses__isnull=True)
                | Q(proposal__isnull=True, reverses__isnull=False),
                name="ledger_entry_of_a_proposal_or_a_reversal",
            ),
            models.CheckConstraint(
                condition=Q(reverses__isnull=True) | Q(amount__lte=0),
                name="ledger_reversal_takes_back",
            ),
            models.CheckConstraint(
                condition=Q(reverses__isnull=True) | ~Q(reverses=F("id")),
                name="ledger_entry_reverses_another",
            ),
        ]
        indexes = [models.Index(fields=["staff", "entered_at"], name="ledger_of_staff")]

    def __str__(self) -> str:
        return self.key


class PayrollBatchQuerySet(models.QuerySet["PayrollBatch"]):
    def visible_to(self, principal: Principal) -> Self:
        """For who sees the awards of all."""
        return self if principal.scope(Permission.VIEW_AWARDS).everywhere else self.none()


class PayrollBatch(models.Model):
    """Entries of the ledger handed to payroll together, frozen with the hash of their lines."""

    number = models.PositiveIntegerField(_("number"), unique=True)
    through = models.DateField(_("entries until"))
    currency = models.CharField(max_length=3)
    total = models.BigIntegerField(_("total"))
    people = models.PositiveIntegerField(_("people"))
    content_hash = models.CharField(max_length=64)
    frozen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    frozen_at = models.DateTimeField()

    objects = PayrollBatchQuerySet.as_manager()

    class Meta:
        verbose_name = _("payroll batch")
        verbose_name_plural = _("payroll batches")

    def __str__(self) -> str:
        return str(self.number)


class BatchLine(models.Model):
    """An entry in the one batch in which it is paid."""

    batch = models.ForeignKey(PayrollBatch, on_delete=models.PROTECT, related_name="lines")
    entry = models.OneToOneField(LedgerEntry, on_delete=models.PROTECT, related_name="line")

    def __str__(self) -> str:
        return f"{self.batch_id} {self.entry_id}"


class RecognitionQuerySet(models.QuerySet["Recognition"]):
    def visible_to(self, principal: Principal) -> Self:
        """What its person consented to show is on the wall for all who work here; what waits, for
        the person and who wrote it."""
        shown = Q(state=Recognition.State.SHOWN)
        if principal.user is not None:
            shown |= Q(written_by=principal.user)
        if principal.staff_id is not None:
            shown |= Q(staff_id=principal.staff_id)
        return self.filter(shown)


class Recognition(models.Model):
    """Words of thanks for somebody. They are on the wall only while that person consents; words of
    a customer only when the customer agreed (`consent_of_customer` says how)."""

    class Source(models.TextChoices):
        COLLEAGUE = "colleague", _("A colleague")
        CUSTOMER = "customer", _("A customer")

    class State(models.TextChoices):
        ASKED = "asked", _("Waits for consent")
        SHOWN = "shown", _("On the wall")
        DECLINED = "declined", pgettext_lazy("state of a recognition", "Not shown")
        WITHDRAWN = "withdrawn", pgettext_lazy("state of a recognition", "Taken down")

    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="recognitions")
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+")
    source = models.CharField(_("from"), max_length=10, choices=Source, default=Source.COLLEAGUE)
    text = models.CharField(_("words"), max_length=600)
    consent_of_customer = models.CharField(max_length=200, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.ASKED)
    written_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    written_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)

    objects = RecognitionQuerySet.as_manager()

    class Meta:
        verbose_name = _("recognition")
        verbose_name_plural = _("recognitions")
        constraints = [
            models.CheckConstraint(
                condition=~Q(source="customer") | ~Q(consent_of_customer=""),
                name="recognition_of_customer_has_consent",
            ),
        ]
        indexes = [models.Index(fields=["state", "-answered_at"], name="recognition_by_state")]

    def __str__(self) -> str:
        return self.text[:40]
