"""What monitoring does when something happened elsewhere."""

from datetime import datetime

from sqcore.base.bus import handles
from sqcore.base.events import EvaluationPublished, IndicatorRedefined
from sqcore.monitoring.services import mark_epoch
from sqcore.monitoring.watching import watch_after


@handles(EvaluationPublished, key="monitoring.watch_after")
def watch_when_all_is_in(event: EvaluationPublished, now: datetime) -> None:
    """Watch at once what was published last, instead of at the next beat."""
    watch_after(run_id=event.run_id)


@handles(IndicatorRedefined, key="monitoring.mark_epoch")
def mark_where_a_definition_changed(event: IndicatorRedefined, now: datetime) -> None:
    """Write on the charts from which day on something else is measured."""
    mark_epoch(epoch_id=event.epoch_id, now=now)
