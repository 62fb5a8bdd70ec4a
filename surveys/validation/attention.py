"""Verdicts on the answers: were people attentive, did they answer, can answers still change?"""

from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from surveys.instruments.models import Item
from surveys.validation.conventions import ALPHA_MOVES, CARELESS, COMPLETE, ENDS, NOT_FOR_ALL, OPEN
from surveys.validation.reading import Block, Part, Reading, Shares
from surveys.validation.verdict import Tone, Verdict, between, count, named

# ---- Were people attentive? ----------------------------------------------------------------------


def attentive(reading: Reading) -> Verdict:
    found = reading.attention
    if found.either.value is None:
        tone, answer = Tone.UNKNOWN, found.either.why_not
    elif found.either.is_above(CARELESS.number):
        tone, answer = Tone.BAD, _("More than usual answered as if without reading.")
    elif found.either.is_below(CARELESS.number):
        tone, answer = Tone.GOOD, _("No more than usual answered as if without reading.")
    else:
        tone, answer = Tone.WATCH, _("About as many as usual answered as if without reading.")
    moved = _moved(reading)
    if moved and tone == Tone.GOOD:
        tone = Tone.WATCH
    return Verdict(
        key="attentive",
        question=_("Were people attentive?"),
        tone=tone,
        answer=answer,
        because=[*_about_attention(reading), *_about_moves(reading, moved)],
        todo=list(_about_care(tone, moved)),
        conventions=(CARELESS, ALPHA_MOVES),
    )


def _moved(reading: Reading) -> list[Block]:
    """Return the dimensions whose alpha is another one without those who were marked."""
    if reading.attentive is None:
        return []
    without = {block.code: block.alpha.value for block in reading.attentive.dimensions}
    return [
        block
        for block in reading.everybody.dimensions
        if block.alpha.value is not None
        and (other := without.get(block.code)) is not None
        and abs(block.alpha.value - other) > ALPHA_MOVES.number
    ]


def _about_attention(reading: Reading) -> Iterator[str]:
    found = reading.attention
    said = (
        (found.either, _("Marked are %(share)s of the %(n)s who answered enough to be judged.")),
        (
            found.in_a_row,
            _("%(share)s of %(n)s gave the same answer to %(limit)s or more questions in a row."),
        ),
        (found.straight, _("%(share)s of %(n)s gave the same answer to every question.")),
        (
            found.unusual,
            _(
                "Counted apart: %(share)s of %(n)s gave a combination of answers that hardly"
                " anybody gives. Who is unusual need not be careless, so they are not among the"
                " marked."
            ),
        ),
    )
    for number, text in said:
        if number.value is not None:
            share = between(number, "percent")
            yield text % {"share": share, "n": count(number.n), "limit": found.limit}


def _about_moves(reading: Reading, moved: Sequence[Block]) -> Iterator[str]:
    if reading.attentive is None:
        return
    if moved:
        yield _("Without them alpha is another one in: %(names)s.") % {
            "names": named(block.name for block in moved)
        }
    else:
        yield _("What this report says of the dimensions does not hang on them.")


def _about_care(tone: Tone, moved: Sequence[Block]) -> Iterator[str]:
    yield _(
        "Nobody’s answers are deleted, here or in the results: who is content may honestly give the"
        " same answer throughout."
    )
    if tone in (Tone.BAD, Tone.WATCH):
        yield _(
            "Make the questionnaire shorter, ask right after the visit, and turn the wording of a"
            " question or two, so that attention shows."
        )
    if moved:
        yield _("Trust the alphas without the marked, which stand in the technical table.")


# ---- Were the questions answered? ----------------------------------------------------------------


def answered(reading: Reading) -> Verdict:
    opened = [each for each in reading.questions if each.missing.is_above(OPEN.number)]
    strange = [
        each for each in reading.questions if each.not_applicable.is_above(NOT_FOR_ALL.number)
    ]
    whole = reading.everybody.whole
    people = whole.n + whole.left_out
    few = bool(people) and whole.n / people < COMPLETE.number
    fine = not (opened or strange)
    because = _("%(n)s of %(all)s people answered all questions that are judged here.") % {
        "n": count(whole.n),
        "all": count(people),
    }
    most = max(reading.questions, key=_left_open, default=None)
    if most is not None:
        because += " " + _("Left open most often was “%(text)s”, by %(share)s.") % {
            "text": most.text,
            "share": between(most.missing, "percent"),
        }
    return Verdict(
        key="answered",
        question=_("Did people answer the questions?"),
        tone=Tone.GOOD if fine and not few else Tone.WATCH,
        answer=_("Hardly any question stays open.")
        if fine
        else ngettext(
            "%(count)s question stays open, or does not apply, often.",
            "%(count)s questions stay open, or do not apply, often.",
            len({each.code for each in (*opened, *strange)}),
        )
        % {"count": len({each.code for each in (*opened, *strange)})},
        because=[because],
        todo=[*_about_few(whole.n, few), *_about_open(opened, strange)],
        conventions=(OPEN, NOT_FOR_ALL, COMPLETE),
    )


def _left_open(question: Shares) -> float:
    return question.missing.value or 0.0


def _about_few(complete: int, few: bool) -> Iterator[str]:
    if few:
        yield _(
            "What is said here of dimensions rests on the %(n)s who answered everything; they may"
            " be others than the rest. Ask fewer questions of everybody."
        ) % {"n": count(complete)}


def _about_open(opened: Sequence[Shares], strange: Sequence[Shares]) -> Iterator[str]:
    if opened:
        yield _("Often left open: %(codes)s. Make the wording plainer, or ask it earlier.") % {
            "codes": named(each.code for each in opened)
        }
    if strange:
        yield _(
            "Often not applicable: %(codes)s. Ask it only of those whom it concerns, or drop it."
        ) % {"codes": named(each.code for each in strange)}


# ---- Do they tell people apart? ------------------------------------------------------------------


def tells_apart(part: Part) -> Verdict:
    blocks = part.dimensions or [part.whole]
    high = [block for block in blocks if block.highest.is_above(ENDS.number)]
    low = [block for block in blocks if block.lowest.is_above(ENDS.number)]
    fine = not (high or low)
    most = max(blocks, key=lambda block: block.highest.value or 0.0)
    because = []
    if most.highest.value is not None:
        because.append(
            _("Most often the best answer throughout has %(name)s: %(share)s of %(n)s people.")
            % {
                "name": most.name or _("the questionnaire"),
                "share": between(most.highest, "percent"),
                "n": count(most.highest.n),
            }
        )
    return Verdict(
        key="tells-apart",
        question=_("Can the answers still become better or worse?"),
        tone=Tone.GOOD if fine else Tone.WATCH,
        answer=_("Few people answer at the ends of the scale throughout.")
        if fine
        else _("Many people are at an end of the scale, where nothing better can be said."),
        because=because,
        todo=list(_about_ends(high, low)),
        conventions=(ENDS,),
    )


def _about_ends(high: Sequence[Block], low: Sequence[Block]) -> Iterator[str]:
    if high:
        yield _(
            "At the top: %(names)s. An improvement there will hardly show; ask harder questions,"
            " or watch what is measured."
        ) % {"names": named(block.name for block in high)}
    if low:
        yield _("At the bottom: %(names)s. It cannot show that it gets worse.") % {
            "names": named(block.name for block in low)
        }


def is_judged(question: Shares) -> bool:
    """Whether the ends of its scale matter: expectations are high by their nature, and of points
    many go to one thing and none to another."""
    return question.role not in (Item.Role.EXPECTATION, Item.Role.IMPORTANCE)
