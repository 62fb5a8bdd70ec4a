"""All verdicts on a questionnaire, from what was found."""

from surveys.validation.attention import answered, attentive, tells_apart
from surveys.validation.reading import Reading
from surveys.validation.structure import distinct, in_common, together
from surveys.validation.verdict import Verdict


def verdicts_of(reading: Reading) -> list[Verdict]:
    """Return the verdicts in the order in which somebody would ask."""
    found = [
        together(reading.everybody),
        in_common(reading.everybody),
        distinct(reading.everybody),
        attentive(reading),
        answered(reading),
        tells_apart(reading.everybody),
    ]
    return [verdict for verdict in found if verdict is not None]
