"""Verdicts on the questions: do they belong together, are the dimensions different things?"""

from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _

from surveys.validation.conventions import (
    ALPHA,
    ALPHA_TOO_HIGH,
    CFI,
    CFI_GAIN,
    ITEM_TOTAL,
    KMO,
    RMSEA,
    SAME_FACTOR,
    SRMR,
)
from surveys.validation.reading import Block, Pair, Part, Question
from surveys.validation.verdict import Tone, Verdict, count, named, plain

# ---- Do the questions of a dimension belong together? --------------------------------------------


def tone_of(block: Block) -> Tone:
    """Judge a dimension by the whole interval of its alpha."""
    alpha = block.alpha
    if alpha.value is None:
        return Tone.UNKNOWN
    if against(block) or alpha.is_below(ALPHA.number):
        return Tone.BAD
    if alpha.is_above(ALPHA_TOO_HIGH.number) or not alpha.is_above(ALPHA.number):
        return Tone.WATCH
    return Tone.WATCH if weak_questions(block) else Tone.GOOD


def _is_one_thing(block: Block) -> bool:
    return tone_of(block) != Tone.BAD and block.alpha.is_above(ALPHA.number)


def against(block: Block) -> list[str]:
    """Return the questions that clearly go against the others, not by chance alone."""
    return [question.code for question in block.questions if question.total.is_below(0.0)]


def weak_questions(block: Block) -> list[Question]:
    return [
        question
        for question in block.questions
        if question.total.value is not None and question.total.value < ITEM_TOTAL.number
    ]


def together(part: Part) -> Verdict | None:
    blocks = part.dimensions or [part.whole]
    tones = {block.code: tone_of(block) for block in blocks}
    told = [block for block in blocks if tones[block.code] != Tone.UNKNOWN]
    fine = [block for block in told if _is_one_thing(block)]
    if not told:
        tone, answer = Tone.UNKNOWN, blocks[0].alpha.why_not
    elif len(fine) == len(blocks):
        tone = Tone.WATCH if Tone.WATCH in tones.values() else Tone.GOOD
        answer = _("In each dimension the questions tell of the same thing.")
        if tone == Tone.WATCH:
            answer += " " + _("Some can be improved.")
    else:
        tone = Tone.BAD if Tone.BAD in tones.values() else Tone.WATCH
        answer = _("In %(fine)s of %(all)s dimensions the questions clearly tell of one thing.") % {
            "fine": len(fine),
            "all": len(blocks),
        }
    return Verdict(
        key="together",
        question=_("Do the questions of a dimension belong together?"),
        tone=tone,
        answer=answer,
        because=[
            _(
                "Alpha says how far the answers to the questions of a dimension go together: 1 is"
                " perfectly. Who answers all alike raises it too, so that their share stands beside"
                " it."
            )
        ],
        todo=list(_about_blocks(blocks)),
        conventions=(ALPHA, ALPHA_TOO_HIGH, ITEM_TOTAL),
    )


def _about_blocks(blocks: Sequence[Block]) -> Iterator[str]:
    for block in blocks:
        name = {"name": block.name or _("All questions")}
        turned = against(block)
        if turned:
            yield _(
                "%(name)s: %(codes)s goes against the others. If its wording is negative, mark it"
                " as reversed in the next version; else reword it."
            ) % {**name, "codes": named(turned)}
        if block.alpha.is_above(ALPHA_TOO_HIGH.number):
            yield (
                _(
                    "%(name)s: the questions are nearly the same. One or two could be dropped, to"
                    " make the questionnaire shorter."
                )
                % name
            )
        elif block.alpha.is_below(ALPHA.number):
            yield (
                _(
                    "%(name)s: do not report it as one score. Look at its questions singly, and"
                    " reword those that stand apart."
                )
                % name
            )
        elif block.alpha.value is not None and not block.alpha.is_above(ALPHA.number):
            yield _("%(name)s: wait for more answers before you rely on its score.") % name
        weak = [q.code for q in weak_questions(block) if q.code not in turned]
        if weak:
            yield _("%(name)s: %(codes)s measures something else; move, reword or drop it.") % {
                **name,
                "codes": named(weak),
            }


# ---- Have they enough in common? -----------------------------------------------------------------


def in_common(part: Part) -> Verdict | None:
    kmo = part.kmo
    if kmo is None or kmo.value is None:
        return None
    enough = kmo.value >= KMO.number and (part.bartlett or 0.0) < 0.05
    because = _(
        "KMO says how much of what two questions share is shared by all: 0 is nothing, 1 all of it."
        " It is %(kmo)s among %(n)s people who answered all questions."
    ) % {"kmo": plain(kmo.value), "n": count(kmo.n)}
    if part.bartlett is not None:
        so = _("That they have nothing in common can be ruled out (Bartlett’s test, p %(p)s).")
        because += " " + so % {"p": p_value(part.bartlett)} if part.bartlett < 0.05 else ""
    return Verdict(
        key="in-common",
        question=_("Have the questions enough in common to speak of dimensions at all?"),
        tone=Tone.GOOD if enough else Tone.BAD,
        answer=_("They have.") if enough else _("They are too different from each other."),
        because=[because],
        todo=()
        if enough
        else [
            _("Do not report dimensions; look at the questions singly and rethink their groups.")
        ],
        conventions=(KMO,),
    )


def p_value(p: float) -> str:
    return "< " + plain(0.001, 3) if p < 0.001 else "= " + plain(p, 3)


# ---- Are the dimensions different things? --------------------------------------------------------


def distinct(part: Part) -> Verdict | None:
    size = len(part.dimensions)
    if size < 2:
        return None
    question = _("Do %(size)s dimensions describe the answers better than a single one?") % {
        "size": size
    }
    conventions = (CFI, RMSEA, SRMR, CFI_GAIN, SAME_FACTOR)
    if not (part.one.is_there and part.many.is_there):
        why = part.many.why_not or part.one.why_not
        return Verdict("distinct", question, Tone.UNKNOWN, why, conventions=conventions)
    alike = [pair for pair in part.pairs if pair.low > SAME_FACTOR.number]
    fits, better = _fits(part), _gain(part) >= CFI_GAIN.number
    if not better:
        tone, answer = Tone.BAD, _("A single dimension describes them as well.")
    elif alike:
        tone = Tone.WATCH
        answer = _("Better, but some of them are hardly two things for those who answered.")
    elif not fits:
        tone = Tone.WATCH
        answer = _("Better, but not well: the questions also go together across dimensions.")
    else:
        tone, answer = Tone.GOOD, _("Better, and well.")
    return Verdict(
        key="distinct",
        question=question,
        tone=tone,
        answer=answer,
        because=list(_about_fits(part, alike)),
        todo=list(_about_structure(tone, alike, fits=fits)),
        conventions=conventions,
    )


def _gain(part: Part) -> float:
    return (part.many.cfi or 0.0) - (part.one.cfi or 0.0)


def _fits(part: Part) -> bool:
    many = part.many
    rmsea = many.rmsea.low if many.rmsea is not None else None
    return (
        (many.cfi or 0.0) >= CFI.number
        and many.srmr is not None
        and many.srmr <= SRMR.number
        and rmsea is not None
        and rmsea <= RMSEA.number
    )


def _about_fits(part: Part, alike: Sequence[Pair]) -> Iterator[str]:
    yield _(
        "CFI, how much of what goes together a structure explains, is %(many)s for the dimensions"
        " and %(one)s for a single one, among %(n)s who answered all questions."
    ) % {
        "many": plain(part.many.cfi or 0.0, 3),
        "one": plain(part.one.cfi or 0.0, 3),
        "n": count(part.many.rmsea.n if part.many.rmsea else 0),
    }
    if part.pairs:
        pair = part.pairs[0]
        yield _(
            "Most alike are %(first)s and %(second)s: they go together by %(value)s (between"
            " %(low)s and %(high)s), where 1 is the same thing."
        ) % {
            "first": pair.first,
            "second": pair.second,
            "value": plain(pair.value),
            "low": plain(pair.low),
            "high": plain(pair.high),
        }
    if len(alike) > 1:
        pairs = {"alike": len(alike), "all": len(part.pairs)}
        yield _("%(alike)s of %(all)s pairs are that much alike.") % pairs


def _about_structure(tone: Tone, alike: Sequence[Pair], *, fits: bool) -> Iterator[str]:
    if tone == Tone.BAD:
        yield _("Report the overall score; differences between dimensions are mostly chance.")
        yield _("In the next version, ask of each dimension what is only true of it.")
    elif alike:
        yield _(
            "Read a difference between such dimensions only where their intervals are apart, and do"
            " not reward one of them alone: a good impression colours all."
        )
    elif tone == Tone.WATCH and not fits:
        yield _(
            "Look in the technical table for questions that load weakly on their dimension; move or"
            " reword them in the next version."
        )
