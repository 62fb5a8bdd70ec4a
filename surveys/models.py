"""The models of the surveys app, room by room."""

from surveys.campaigns.models import Campaign, Link
from surveys.imports.models import Import
from surveys.instruments.models import Instrument, InstrumentVersion, Item
from surveys.responses.models import Response, Rollup, RollupMonth

__all__ = [
    "Campaign",
    "Import",
    "Instrument",
    "InstrumentVersion",
    "Item",
    "Link",
    "Response",
    "Rollup",
    "RollupMonth",
]
