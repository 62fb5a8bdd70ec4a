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
    MANAGE_PEOPLE = "people.manage", _("Take in files of staff, assignments and leave")
    MANAGE_ORGANISATION = "organisation.manage", _("Change the organisation")
    MANAGE_USERS = "users.manage", _("Manage users, roles and tokens")
    MANAGE_SURVEYS = "surveys.manage", _("Design surveys, run campaigns, import answers")
    SUBMIT_RESPONSES = "responses.submit", _("Send answers")
    MANAGE_INDICATORS = "indicators.manage", _("Change the indicator system")
    MANAGE_MEASUREMENTS = (
        "measurements.manage",
        _("Define measures, see and take in operational data"),
    )
    MANAGE_COMPARATORS = (
        "comparators.manage",
        _("Keep the values of competitors and the market"),
    )
    SEND_MEASUREMENTS = "measurements.send", _("Send measurements and encounters")
    RUN_EVALUATION = "evaluation.run", _("Start evaluations")
    MANAGE_SIGNALS = "signals.manage", _("Annotate charts, mute signals, propose baselines")
    APPROVE_BASELINES = "baselines.approve", _("Set the baselines of charts anew")
    VIEW_TICKETS = "tickets.view", _("See improvement tickets and standards")
    PROPOSE_TICKETS = "tickets.propose", _("Propose improvement tickets, comment on them")
    RUN_TICKETS = "tickets.run", _("Accept, plan, approve and carry out improvement tickets")
    CONFIRM_EFFECTS = "effects.confirm", _("Confirm the verdict on an improvement")
    VIEW_PEOPLE_RESULTS = "results.people", _("See results of people")
    DECIDE_DISPUTES = "disputes.decide", _("Decide what staff dispute in their results")
    VIEW_TRAINING = "training.view", _("See the training of people")
    PLAN_TRAINING = "training.plan", _("Assess skills, plan training, enrol people")
    MANAGE_TRAINING = "training.manage", _("Run courses, certificates and what is required")
    VIEW_AWARDS = "awards.view", _("See proposed and granted awards")
    MANAGE_AWARDS = "awards.manage", _("Write incentive schemes, try and run them, pay out")
    REVIEW_AWARDS = "awards.review", _("Review proposed awards: the first of two steps")
    APPROVE_AWARDS = "awards.approve", _("Approve proposed awards: the second of two steps")
    VIEW_JOBS = "jobs.view", _("See all long work")
    VIEW_AUDIT = "audit.view", _("See the audit ledger")


P = Permission

MATRIX: dict[Role, frozenset[Permission]] = {
    Role.ADMINISTRATOR: frozenset(
        {
            P.VIEW_RESULTS,
            P.VIEW_ORGANISATION,
            P.MANAGE_PEOPLE,
            P.MANAGE_ORGANISATION,
            P.MANAGE_USERS,
            P.MANAGE_SURVEYS,
            P.MANAGE_INDICATORS,
            P.MANAGE_MEASUREMENTS,
            P.MANAGE_COMPARATORS,
            P.RUN_EVALUATION,
            P.VIEW_TICKETS,
            P.VIEW_JOBS,
            P.VIEW_AUDIT,
        }
    ),
    Role.HR: frozenset(
        {
            P.VIEW_RESULTS,
            P.VIEW_ORGANISATION,
            P.VIEW_PEOPLE,
            P.MANAGE_PEOPLE,
            P.VIEW_TICKETS,
            P.PROPOSE_TICKETS,
            P.VIEW_PEOPLE_RESULTS,
            P.VIEW_TRAINING,
            P.PLAN_TRAINING,
            P.MANAGE_TRAINING,
            P.VIEW_AWARDS,
            P.MANAGE_AWARDS,
            P.APPROVE_AWARDS,
        }
    ),
    Role.ANALYST: frozenset(
        {
            P.VIEW_RESULTS,
            P.VIEW_ORGANISATION,
            P.MANAGE_SURVEYS,
            P.SUBMIT_RESPONSES,
            P.MANAGE_INDICATORS,
            P.MANAGE_MEASUREMENTS,
            P.MANAGE_COMPARATORS,
            P.SEND_MEASUREMENTS,
            P.RUN_EVALUATION,
            P.MANAGE_SIGNALS,
            P.APPROVE_BASELINES,
            P.VIEW_TICKETS,
            P.PROPOSE_TICKETS,
            P.RUN_TICKETS,
            P.CONFIRM_EFFECTS,
            P.DECIDE_DISPUTES,
            P.VIEW_JOBS,
        }
    ),
    Role.MANAGER: frozenset(
        {
            P.VIEW_RESULTS,
            P.VIEW_ORGANISATION,
            P.VIEW_PEOPLE,
            P.MANAGE_SIGNALS,
            P.VIEW_TICKETS,
            P.PROPOSE_TICKETS,
            P.RUN_TICKETS,
            P.VIEW_PEOPLE_RESULTS,
            P.VIEW_TRAINING,
            P.PLAN_TRAINING,
            P.VIEW_AWARDS,
            P.REVIEW_AWARDS,
        }
    ),
    Role.STAFF: frozenset({P.VIEW_RESULTS, P.VIEW_ORGANISATION, P.VIEW_TICKETS, P.PROPOSE_TICKETS}),
}
"""What a role may do within the unit of its grant and below it (without a unit: everywhere)."""

TOKEN_PERMISSIONS = frozenset(
    {
        P.VIEW_RESULTS,
        P.VIEW_ORGANISATION,
        P.VIEW_PEOPLE,
        P.SUBMIT_RESPONSES,
        P.SEND_MEASUREMENTS,
        P.MANAGE_COMPARATORS,
        P.VIEW_TICKETS,
        P.PROPOSE_TICKETS,
        P.VIEW_PEOPLE_RESULTS,
        P.VIEW_TRAINING,
        P.MANAGE_TRAINING,
        P.VIEW_AWARDS,
    }
)
"""What a REST client's token can be given at the most; people only when bound to units."""

PERSONAL = frozenset(
    {P.VIEW_PEOPLE, P.VIEW_PEOPLE_RESULTS, P.VIEW_TRAINING, P.MANAGE_TRAINING, P.VIEW_AWARDS}
)
"""What shows single people: a token that has any of it is bound to units."""
