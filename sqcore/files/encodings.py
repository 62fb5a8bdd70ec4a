"""Guessing in which encoding a file of text was written. Pure.

UTF-8 and UTF-16 betray themselves. For the others the text is read in each of them, and the one
that gives the most letters that are common in its language wins.
"""

import codecs
from collections.abc import Callable
from pathlib import Path

SAMPLE = 1 << 20
PIECE = 1 << 20

COMMON_SIMPLIFIED = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"
    "用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实"
    "日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政"
    "美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员"
    "解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计"
    "管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完"
    "设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运笔服银客满"
    "意评价网点柜台态度效率环境姓评分编号渠道日期满"
)
COMMON_TRADITIONAL = frozenset(
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡"
    "用道行所然家種事成方多經麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實"
    "日軍者意無力它與長把機十民第公此已工使情明性知全三又關點正業外將兩高間由問很最重並物手應戰向頭文體政"
    "美相見被利什二等產或新己制身果加西斯月話合回特代內信表化老給世位次度門任常先海通教兒原東聲提立及比員"
    "解水名真論處走義各入幾口認條平系氣題活爾更別打女變四神總何電數安少報才結反受目太量再感建務做接必場件計"
    "管期市直德資命山金指克許統區保至隊形社便空決治展馬科司五基眼書非則聽白卻界達光放強即像難且權思王象完"
    "設式色路記南品住告類求據程北邊死張該交規萬取拉格望覺術領共確傳師觀清今切院讓識候帶導爭運筆服銀客滿"
)


def _share(text: str, is_common: Callable[[str], bool]) -> float:
    """Return the share of common letters among the letters beyond ASCII."""
    foreign = [letter for letter in text if letter > "\x7f" and letter.isalpha()]
    return sum(map(is_common, foreign)) / len(foreign) if foreign else 0.0


def _is_hangul(letter: str) -> bool:
    return "가" <= letter <= "힣"


def _is_kana(letter: str) -> bool:
    return "ぁ" <= letter <= "ヶ"


CANDIDATES: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("gb18030", COMMON_SIMPLIFIED.__contains__),
    ("big5", COMMON_TRADITIONAL.__contains__),
    ("cp949", _is_hangul),
    ("cp932", _is_kana),
)
LEAST_SHARE = {"gb18030": 0.2, "big5": 0.25, "cp949": 0.75, "cp932": 0.3}


def guess_encoding(path: Path) -> str | None:
    """Return the encoding of the file, None when it is not text in any that is known."""
    with path.open("rb") as file:
        start = file.read(SAMPLE)
    if marked := _by_mark(start):
        return marked if _reads(path, marked) else None
    if b"\x00" in start:
        # Text has no NUL; every second byte NUL is UTF-16 without its mark.
        wide = _by_nuls(start)
        return wide if wide and _reads(path, wide) else None
    if _reads(path, "utf-8"):
        return "utf-8"
    best = max(
        ((share / LEAST_SHARE[name], name) for name, share in _shares(start)), default=(0.0, "")
    )
    if best[0] >= 1 and _reads(path, best[1]):
        return best[1]
    return "cp1252" if _reads(path, "cp1252") else None


def _by_mark(start: bytes) -> str:
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return ""


def _by_nuls(start: bytes) -> str:
    even, odd = start[0::2].count(0), start[1::2].count(0)
    half = len(start) // 2
    if odd > 0.05 * half and even < 0.1 * odd:
        return "utf-16-le"
    if even > 0.05 * half and odd < 0.1 * even:
        return "utf-16-be"
    return ""


def _shares(start: bytes) -> list[tuple[str, float]]:
    # Cut at the end of a line, so that no letter is cut in two.
    whole = start[: start.rfind(b"\n") + 1] or start
    found = []
    for name, is_common in CANDIDATES:
        try:
            found.append((name, _share(whole.decode(name), is_common)))
        except UnicodeDecodeError:
            continue
    return found


def _reads(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        try:
            while piece := file.read(PIECE):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeError:
            return False
    return True
