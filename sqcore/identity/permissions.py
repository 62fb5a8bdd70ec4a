"""Who may do what: the one matrix of roles and permissions. `docs/permissions.md` shows it."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Role(TextChoices):
    ADMINISTRATOR = "administrator", _("Administrator")
    HR = "hr", _("HR")
    ANALYST = "analyst", _("Quality analyst")
    MANAGER = "manager", _("Manager")
    STAFF = "staff", _("Staff")


class Permission(TextChoices):
    VIEW_RESULTS = "results.view", _("See results of units")
    VIEW_ORGANISATION = "organisation.view", _("See units, channels and segments")
    VIEW_PEOPLE = "people.view", _("See staff and their assignments")
    MANAGE_ORGANISATION = "organisation.manage", _("Change the organisation")
    MANAGE_USERS = "users.manage", _("Manage users, roles and tokens")
    MANAGE_SURVEYS = "surveys.manage", _("Design surveys, run campaigns, import answers")
    SUBMIT_RESPONSES = "responses.submit", _("Send answers")
    MANAGE_INDICATORS = "indicators.manage", _("Change the indicator system")
    MANAGE_MEASUREMENTS = (
        "measurements.manage",
        _("Define measures, see and take in operational data"),
    )
    SEND_MEASUREMENTS = "measurements.send", _("Send measurements and encounters")
    RUN_EVALUATION = "evaluation.run", _("Start evaluations")
    VIEW_JOBS = "jobs.view", _("See all long work")
    VIEW_AUDIT = "audit.view", _("See the audit ledger")


P = Permission

MATRIX: dict[Role, frozenset[Permission]] = {
    Role.ADMINISTRATOR: frozenset(
        {
            P.VIEW_RESULTS,
            P.VIEW_ORGANISATION,
            P.MANAGE_ORGANISATION,
            P.MANAGE_USERS,
            P.MANAGE_SURVEYS,
            P.MANAGE_INDICATORS,
            P.MANAGE_MEASUREMENTS,
            P.RUN_EVALUATION,
            P.VIEW_JOBS,
            P.VIEW_AUDIT,
        }
    ),
    Role.HR: frozenset({P.VIEW_RESULTS, P.VIEW_ORGANISATION, P.VIEW_PEOPLE}),
    Role.ANALYST: frozenset(
        {
            P.VIEW_RESULTS,
            P.VIEW_ORGANISATION,
            P.MANAGE_SURVEYS,
            P.SUBMIT_RESPONSES,
            P.MANAGE_INDICATORS,
            P.MANAGE_MEASUREMENTS,
            P.SEND_MEASUREMENTS,
            P.RUN_EVALUATION,
            P.VIEW_JOBS,
        }
    ),
    Role.MANAGER: frozenset({P.VIEW_RESULTS, P.VIEW_ORGANISATION, P.VIEW_PEOPLE}),
    Role.STAFF: frozenset({P.VIEW_RESULTS, P.VIEW_ORGANISATION}),
}
"""What a role may do within the unit of its grant and below it (without a unit: everywhere)."""

TOKEN_PERMISSIONS = frozenset(
    {
        P.VIEW_RESULTS,
        P.VIEW_ORGANISATION,
        P.VIEW_PEOPLE,
        P.SUBMIT_RESPONSES,
        P.SEND_MEASUREMENTS,
    }
)
"""What a REST client's token can be given at the most; people only when bound to units."""
