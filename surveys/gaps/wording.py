"""The five gaps and their likely causes in words."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.base.text import number
from sqcore.stats.gaps import Gap
from sqcore.stats.results import Figure

Text = str | Promise

TITLES: Mapping[Gap, Text] = {
    Gap.KNOWLEDGE: gettext_lazy("Do managers know what customers expect?"),
    Gap.STANDARDS: gettext_lazy("Are there standards for it?"),
    Gap.DELIVERY: gettext_lazy("Can staff keep the standards?"),
    Gap.COMMUNICATION: gettext_lazy("Is what is promised kept?"),
    Gap.SERVICE: gettext_lazy("Do customers find what they expect?"),
}
NAMES: Mapping[Gap, Text] = {
    Gap.KNOWLEDGE: gettext_lazy("Knowledge gap"),
    Gap.STANDARDS: gettext_lazy("Standards gap"),
    Gap.DELIVERY: gettext_lazy("Delivery gap"),
    Gap.COMMUNICATION: gettext_lazy("Communication gap"),
    Gap.SERVICE: gettext_lazy("Service gap"),
}
MEANS: Mapping[Gap, Text] = {
    Gap.KNOWLEDGE: gettext_lazy("What managers think customers expect, less what these expect."),
    Gap.STANDARDS: gettext_lazy("How far managers say formal standards are set, less the most."),
    Gap.DELIVERY: gettext_lazy("How far staff say they can meet the standards, less “always”."),
    Gap.COMMUNICATION: gettext_lazy("How far promises to customers can be kept, less “always”."),
    Gap.SERVICE: gettext_lazy("What customers found, less what they expect of an excellent place."),
}
CAUSES: Mapping[str, Text] = {
    "research_orientation": gettext_lazy("Little is done to learn what customers expect"),
    "upward_communication": gettext_lazy("What the front line knows does not reach managers"),
    "levels_of_management": gettext_lazy("Many levels between the front line and the top"),
    "commitment": gettext_lazy("Service counts less than sales and costs"),
    "goal_setting": gettext_lazy("No goals for service that can be measured"),
    "standardisation": gettext_lazy("No agreed ways for what recurs every day"),
    "feasibility": gettext_lazy("People do not believe that it can be done"),
    "teamwork": gettext_lazy("People do not help each other"),
    "employee_job_fit": gettext_lazy("People and their work do not fit"),
    "technology_job_fit": gettext_lazy("Tools and systems do not fit the work"),
    "perceived_control": gettext_lazy("Staff may decide too little themselves"),
    "supervisory_control": gettext_lazy("Amounts are valued, not service"),
    "role_conflict": gettext_lazy("Demands that contradict each other"),
    "role_ambiguity": gettext_lazy("Staff do not know what is expected of them"),
    "horizontal_communication": gettext_lazy("Departments do not tell each other of promises"),
    "propensity_to_overpromise": gettext_lazy("More is promised than can be kept"),
}


def verdict(gap: Gap, figure: Figure) -> tuple[str, str]:
    """Return a tone and what a gap says, in a sentence; only of a figure that has a number."""
    if figure.value is None:
        return "", ""
    size = number(abs(figure.value), 2)
    if figure.high is not None and figure.high < 0:
        return "bad", _("A shortfall of %(size)s points.") % {"size": size}
    if figure.low is not None and figure.low > 0:
        if gap is Gap.KNOWLEDGE:
            said = _("Managers expect %(size)s points more than customers do.")
        else:
            said = _("%(size)s points better than expected.")
        return "good", said % {"size": size}
    return "", _("No gap can be told from chance.")
