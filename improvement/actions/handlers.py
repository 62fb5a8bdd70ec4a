"""What an action hears of the training that it asked for."""

from datetime import datetime

from improvement.actions import services
from sqcore.base.bus import handles
from sqcore.base.events import TrainingDelivered


@handles(TrainingDelivered, key="improvement.actions.note_training")
def note_training(event: TrainingDelivered, now: datetime) -> None:
    """Show beside the action how far its training has come."""
    services.note_training(reference=event.reference, done=event.done, of=event.of)
