"""The port of the monthly review: parts that other rooms and apps add to it."""

from collections.abc import Mapping
from typing import Protocol

from sqcore.base.registry import Registry
from sqcore.reports.evidence import Question


class ReportSection(Protocol):
    """A part of the review of a unit and a closed period. Register an instance in
    `<app>/plugins.py`: `REPORT_SECTIONS.register(MySection())`.

    key: unique, stable; order: small numbers come first
    template_name: a card, rendered with what `context` gives
    """

    @property
    def key(self) -> str: ...

    @property
    def order(self) -> int: ...

    @property
    def template_name(self) -> str: ...

    def context(self, question: Question) -> Mapping[str, object] | None:
        """Return what the template needs, of the period that is asked for, read only through
        `visible_to(question.principal)`; None when there is nothing to show."""


REPORT_SECTIONS: Registry[ReportSection] = Registry("report sections")
