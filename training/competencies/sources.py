"""Competencies as what people can be trained in, for rooms that ask for training."""

from collections.abc import Mapping, Sequence

from training.competencies.queries import competencies


class Competencies:
    """The competencies in use."""

    key = "competencies"

    def subjects(self) -> Sequence[tuple[str, Mapping[str, str]]]:
        return [(each.code, each.name) for each in competencies()]
