"""What a rule is, what it proposes, and which rules there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.utils.functional import Promise

from sqcore.base.registry import Registry
from training.incentives.facts import PeriodFacts
from training.incentives.rule_parameters import Parameter
from training.incentives.rule_refusals import refusal_of


@dataclass(frozen=True)
class Line:
    """What one rule proposes for one person. `why` names the sentence (`wording.REASONS`) that
    `figures` fill in; a `title` takes the place of the scheme's name and period."""

    staff_id: int
    rule: str
    part: str
    amount: int
    why: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    title: Mapping[str, str] | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "part": self.part,
            "amount": self.amount,
            "why": self.why,
            **self.figures,
        }


class Rule(Protocol):
    """One way to propose awards. Register an instance in `RULES`.

    It may read nothing but `facts`; the same facts give the same lines. `so_far` holds what rules
    with a lower `order` proposed.
    """

    @property
    def key(self) -> str: ...

    @property
    def title(self) -> str | Promise: ...

    @property
    def about(self) -> str | Promise: ...

    @property
    def kinds(self) -> frozenset[str]: ...

    @property
    def order(self) -> int: ...

    def parameters(self) -> Sequence[Parameter]: ...

    def propose(
        self, facts: PeriodFacts, asked: Mapping[str, Any], so_far: Sequence[Line]
    ) -> list[Line]: ...


class RefusedRule(RuntimeError):
    """A rule that no scheme may have was offered: the program must not start."""


class RuleRegistry(Registry[Rule]):
    def register(self, offer: Rule) -> Rule:
        names: dict[str, Any] = {each.name: None for each in offer.parameters()}
        if reason := refusal_of({"rule": offer.key, **names}):
            raise RefusedRule(f"{offer.key}: {reason}")
        return super().register(offer)


RULES = RuleRegistry("rules of incentives")
