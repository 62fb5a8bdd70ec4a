"""The models of the surveys app, room by room."""

from surveys.analyses.models import Analysis, ShownGroup
from surveys.campaigns.models import Campaign, Link
from surveys.churn.models import RiskRun, RiskScorecard, UnitRisk
from surveys.imports.models import Import
from surveys.instruments.models import Instrument, InstrumentVersion, Item
from surveys.invitations.models import (
    Drawing,
    Invitation,
    LastInvited,
    SamplingPlan,
    SpentLink,
)
from surveys.representation.models import Population, Weighing
from surveys.responses.models import Response, Rollup, RollupMonth

__all__ = [
    "Analysis",
    "Campaign",
    "Drawing",
    "Import",
    "Instrument",
    "InstrumentVersion",
    "Invitation",
    "Item",
    "LastInvited",
    "Link",
    "Population",
    "Response",
    "RiskRun",
    "RiskScorecard",
    "Rollup",
    "RollupMonth",
    "SamplingPlan",
    "ShownGroup",
    "SpentLink",
    "UnitRisk",
    "Weighing",
]
