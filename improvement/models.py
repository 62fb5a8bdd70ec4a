"""The models of this app, room by room."""

from improvement.actions.models import Action
from improvement.cycle.models import Approval
from improvement.diagnosis.models import Finding
from improvement.standards.models import Standard, StandardVersion
from improvement.tickets.models import (
    Attachment,
    Comment,
    Step,
    Ticket,
    TicketSignal,
    Watcher,
)
from improvement.verification.models import BalancingMeasure, EffectCheck, EffectPlan

__all__ = [
    "Action",
    "Approval",
    "Attachment",
    "BalancingMeasure",
    "Comment",
    "EffectCheck",
    "EffectPlan",
    "Finding",
    "Standard",
    "StandardVersion",
    "Step",
    "Ticket",
    "TicketSignal",
    "Watcher",
]
