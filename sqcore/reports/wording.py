"""How evidence and verdicts are said to people."""

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.text import number, signed
from sqcore.evaluation.wording import counted
from sqcore.indicators.sources import Counts
from sqcore.reports.evidence import Effect, Measured, Says, Strength
from sqcore.reports.rules import Judgement, Verdict

TONES = {
    Verdict.FOR: "bad",
    Verdict.AGAINST: "good",
    Verdict.UNCLEAR: "",
    Verdict.NOTHING: "",
    Verdict.SILENT: "",
}
SAYS_TONES = {Says.FOR: "bad", Says.AGAINST: "good", Says.UNCLEAR: "", Says.NOTHING: ""}


def class_title(code: str) -> str:
    """Return the problem that a class of causes stands for."""
    return {
        "awareness": _("Weak service awareness"),
        "process": _("Unclear process"),
        "skills": _("Uneven quality of staff"),
        "standards": _("Standards that differ"),
        "feedback": _("Poor feedback mechanism"),
        "support": _("Weak technical support"),
    }[code]


def class_question(code: str) -> str:
    """Return what the evidence of a class is asked."""
    return {
        "awareness": _("Do customers say that they are treated worse here than elsewhere?"),
        "process": _("Do customers wait longer, or is work done again, more than elsewhere?"),
        "skills": _("Does it depend on who serves the customer? Are required skills missing?"),
        "standards": _("Is the service another one from place to place, or channel to channel?"),
        "feedback": _("Is what is brought up answered, and done in time?"),
        "support": _("Do machines and systems work, and soon work again?"),
    }[code]


def class_advice(code: str) -> str:
    """Return what one could look at next, where the numbers speak for a class."""
    return {
        "awareness": _("Listen to comments of the unit and talk about them with the team."),
        "process": _("Walk the slowest stretch of the process map together with who works there."),
        "skills": _("See which skills the posts need and who has not shown them; plan a course."),
        "standards": _("Compare how the best and the weakest do it, and write down one way."),
        "feedback": _("Agree who answers what is brought up, and until when."),
        "support": _("See which machines fail, how long they are down, and who is called."),
    }[code]


def sentence_of(judgement: Judgement) -> str:
    """Return the verdict in a sentence, with what it does not say."""
    if judgement.is_contradicted:
        return _("Something small speaks for it, and something else against it.")
    return {
        Verdict.FOR: {
            Strength.STRONG: _("A strong effect speaks for it: three times what matters, or more."),
            Strength.MODERATE: _("A moderate effect speaks for it: twice what matters, or more."),
        }.get(judgement.strength, _("A small effect speaks for it: as large as what matters.")),
        Verdict.AGAINST: _("All that can be looked at lies within what does not matter."),
        Verdict.UNCLEAR: _(
            "Nothing clearly speaks for it; that there is nothing is not shown either."
        ),
        Verdict.NOTHING: _("What would tell it has too few data here; each line says why."),
        Verdict.SILENT: _("Nothing that is recorded in this house looks at it."),
    }[judgement.verdict]


def strength_text(strength: Strength) -> str:
    return "" if strength == Strength.NONE else str(strength.label)


def amount(effect: Effect, value: float, *, with_sign: bool = True) -> str:
    """Return a number of an effect with its unit."""
    if effect.measured is Measured.POINTS:
        return signed(value, 1) if with_sign else number(value, 1)
    if effect.measured is Measured.SHARE:
        said = signed(100 * value, 1) if with_sign else number(100 * value, 1)
        return _("%(n)s of 100") % {"n": said}
    if effect.measured is Measured.VARIANCE:
        return f"{number(100 * value, 1)} %"
    return number(value, 1)


def between(effect: Effect) -> str:
    """Return the interval, or nothing."""
    if effect.low is None or effect.high is None:
        return ""
    return _("%(low)s to %(high)s") % {
        "low": amount(effect, effect.low),
        "high": amount(effect, effect.high),
    }


def n_text(effect: Effect) -> str:
    """Return what an effect rests on, in words."""
    if effect.counts in Counts.values:
        return counted(effect.n, effect.counts)
    said = {"n": number_format(effect.n, force_grouping=True)}
    forms = {
        "people": ngettext("%(n)s person", "%(n)s people", effect.n),
        "tickets": ngettext("%(n)s ticket", "%(n)s tickets", effect.n),
        "actions": ngettext("%(n)s action", "%(n)s actions", effect.n),
        "periods": ngettext("%(n)s period", "%(n)s periods", effect.n),
        "indicators": ngettext("%(n)s indicator", "%(n)s indicators", effect.n),
        "parts": ngettext("%(n)s compared", "%(n)s compared", effect.n),
    }
    return forms.get(effect.counts, "%(n)s") % said
