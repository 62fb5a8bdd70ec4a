"""The thresholds of the report: conventions, each with who set it. None of them is a law of nature.

They are settled before anybody looks at answers, so that nobody chooses them by what they say.
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Convention:
    """A threshold, what it says in words, and where it comes from."""

    number: float
    text: str | Promise
    source: str | Promise


ALPHA = Convention(
    0.70,
    _("Questions belong together from an alpha of 0.70 on."),
    "Nunnally, Bernstein 1994, Psychometric Theory, 3rd ed.; Terwee et al. 2007, J. Clin. "
    "Epidemiol. 60:34–42",
)
ALPHA_TOO_HIGH = Convention(
    0.95,
    _("Above an alpha of 0.95 they ask nearly the same several times."),
    "Terwee et al. 2007",
)
ITEM_TOTAL = Convention(
    0.30,
    _("A question that goes with the others by less than 0.30 measures something else."),
    "Nunnally, Bernstein 1994",
)
KMO = Convention(
    0.60,
    _("Questions have enough in common for dimensions from a KMO of 0.60 on."),
    "Kaiser 1974, Psychometrika 39:31–36",
)
CFI = Convention(
    0.95, _("A good fit has a CFI of 0.95 or more."), "Hu, Bentler 1999, Struct. Equ. Model. 6:1–55"
)
RMSEA = Convention(0.06, _("… an RMSEA of 0.06 or less,"), "Hu, Bentler 1999")
SRMR = Convention(0.08, _("… and an SRMR of 0.08 or less."), "Hu, Bentler 1999")
CFI_GAIN = Convention(
    0.01,
    _("A structure fits better if its CFI is higher by 0.01 or more."),
    "Cheung, Rensvold 2002, Struct. Equ. Model. 9:233–255",
)
SAME_FACTOR = Convention(
    0.85,
    _("Dimensions that go together by more than 0.85 are hardly two things."),
    "Brown 2015, Confirmatory Factor Analysis for Applied Research, 2nd ed.",
)
CARELESS = Convention(
    0.10,
    _("About a tenth of respondents who answer without care is usual; more is much."),
    "Meade, Craig 2012, Psychol. Methods 17:437–455",
)
IN_A_ROW = Convention(
    0.50,
    _("The same answer to half of the questions in a row, and to at least eight, is marked."),
    "Curran 2016, J. Exp. Soc. Psychol. 66:4–19",
)
UNUSUAL = Convention(
    0.001,
    _("A combination of answers that chance gives to less than one in a thousand is unusual."),
    "Meade, Craig 2012; Tabachnick, Fidell 2013, Using Multivariate Statistics, 6th ed.",
)
ALPHA_MOVES = Convention(
    0.02,
    _("The findings hang on the marked if an alpha moves by more than 0.02 without them."),
    _("set here"),
)
OPEN = Convention(
    0.10,
    _("A question that more than a tenth leave open may be unclear or too private."),
    "Bennett 2001, Aust. N. Z. J. Public Health 25:464–469",
)
COMPLETE = Convention(
    0.50,
    _("Where less than half answer all questions, who did may be others than the rest."),
    _("set here"),
)
NOT_FOR_ALL = Convention(
    0.20,
    _("A question that does not apply to more than a fifth asks the wrong people."),
    _("set here"),
)
ENDS = Convention(
    0.15,
    _("Where more than 0.15 of all give the best (or worst) answer throughout, it tells no more."),
    "Terwee et al. 2007",
)

ALL = (
    *(ALPHA, ALPHA_TOO_HIGH, ITEM_TOTAL, KMO, CFI, RMSEA, SRMR, CFI_GAIN, SAME_FACTOR),
    *(CARELESS, IN_A_ROW, UNUSUAL, ALPHA_MOVES, OPEN, COMPLETE, NOT_FOR_ALL, ENDS),
)
