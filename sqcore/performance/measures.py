"""The measures of all sources of results of people, by their keys."""

from collections.abc import Iterable

from sqcore.performance.sources import PERSON_SOURCES, PersonSource
from sqcore.performance.sources import PersonMeasure as PersonMeasure


def measure_named(key: str) -> PersonMeasure:
    """Return the measure of this key; of one that no source has any more, a bare one."""
    for source in PERSON_SOURCES:
        for measure in source.measures():
            if measure.key == key:
                return measure
    return PersonMeasure(key, {"en": key}, 0.0, 0.0, (), key.endswith("/overall"))


def source_of(key: str) -> tuple[PersonSource, int] | None:
    """Return the source of a measure and the measure's place there."""
    for source in PERSON_SOURCES:
        for place, measure in enumerate(source.measures()):
            if measure.key == key:
                return source, place
    return None


def measures_of(keys: Iterable[str]) -> list[PersonMeasure]:
    """Return these measures, that of all questions together first; the sources are asked once."""
    known = {measure.key: measure for source in PERSON_SOURCES for measure in source.measures()}
    found = [known.get(key) or measure_named(key) for key in set(keys)]
    return sorted(found, key=lambda each: (not each.is_overall, each.key))
