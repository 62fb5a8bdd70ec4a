"""Pages on paper: the HTML of a page, without what one presses, as a PDF.

What stands on paper is what stands on the page: headings, sentences, tables and the small pictures
of intervals and courses. Nothing of a page has to be said a second time to be printed.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from reportlab.graphics.shapes import Circle, Drawing, Line, Polygon, PolyLine
from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable, LongTable, Paragraph, SimpleDocTemplate, Spacer, TableStyle

LATIN, BOLD, CHINESE = "Vera", "VeraBd", "STSong-Light"
INK, SOFT, RULE, SHADE = (HexColor(each) for each in ("#1b1f24", "#5b6470", "#c9ced6", "#f2f4f7"))
BRAND = HexColor("#1f5fbf")
MARGIN, WIDTH = 16 * mm, A4[0] - 32 * mm
TEXT_SIZE, CELL_SIZE, SMALL = 9.0, 7.5, 0.86

UNPRINTED = frozenset({"nav", "form", "script", "style", "button", "dialog", "template", "select"})
UNPRINTED_CLASSES = frozenset({"visually-hidden", "actions", "filters", "unprinted"})
INLINE = frozenset({"a", "b", "strong", "em", "i", "span", "small", "code", "abbr", "time", "sup"})
VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "wbr"})
BOLDED = frozenset({"b", "strong", "th", "dt", "summary"})
TONES = {"good": "#1a7f4b", "bad": "#b3261e", "warn": "#8a5a00"}
HEADINGS = {"h1": 16.0, "h2": 11.5, "h3": 9.5}
_FAR_EASTERN = re.compile("[\u2e80-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef]+")
_BLANKS = re.compile(r"\s+")


def as_pdf(html: str, *, title: str, footer: str) -> bytes:
    """Return what the HTML says as a PDF of A4 pages; the same HTML gives the same bytes.

    title: what the document is called in its properties
    footer: stands below each page, before its number

    Chinese is written in a font that readers of PDF bring along; it is not in the file.
    """
    _register_fonts()
    to = BytesIO()
    document = SimpleDocTemplate(
        to, pagesize=A4, title=title, invariant=1, leftMargin=MARGIN, rightMargin=MARGIN,
        topMargin=MARGIN, bottomMargin=MARGIN,
    )  # fmt: skip

    def foot(canvas: Any, at: Any) -> None:
        line = Paragraph(_marked(f"{footer} · {at.page}"), _style(TEXT_SIZE * SMALL, colour=SOFT))
        line.wrapOn(canvas, WIDTH, MARGIN)
        line.drawOn(canvas, MARGIN, MARGIN / 2)

    page = _read(html)
    _say_once(page)
    document.build(list(_flow(page, WIDTH)), onFirstPage=foot, onLaterPages=foot)
    return to.getvalue()


def _register_fonts() -> None:
    if CHINESE not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont(LATIN, "Vera.ttf"))
        pdfmetrics.registerFont(TTFont(BOLD, "VeraBd.ttf"))
        pdfmetrics.registerFont(UnicodeCIDFont(CHINESE))


# ---- Reading HTML --------------------------------------------------------------------------------
@dataclass
class _Node:
    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["_Node | str"] = field(default_factory=list)

    @property
    def classes(self) -> frozenset[str]:
        return frozenset(self.attributes.get("class", "").split())

    @property
    def is_printed(self) -> bool:
        return (
            self.tag not in UNPRINTED
            and not self.classes & UNPRINTED_CLASSES
            and "hidden" not in self.attributes
        )

    @property
    def is_picture(self) -> bool:
        """A drawing that says something; icons beside words do not."""
        return self.tag == "svg" and self.attributes.get("role") == "img"

    @property
    def is_inline(self) -> bool:
        return self.tag in INLINE and not any(
            isinstance(each, _Node) and (each.is_picture or not each.is_inline)
            for each in self.children
            if not isinstance(each, _Node) or each.is_printed
        )

    def all(self, *tags: str) -> Iterator["_Node"]:
        """Yield what has one of these tags below this node, but not within one another."""
        for child in self.children:
            if isinstance(child, _Node):
                if child.tag in tags:
                    yield child
                else:
                    yield from child.all(*tags)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [_Node("div")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = _Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(_Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if any(node.tag == tag for node in self.open[1:]):
            while self.open.pop().tag != tag:
                pass

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def _read(html: str) -> _Node:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.open[0]


def _say_once(page: _Node) -> None:
    """Leave out what unfolds to what was unfolded before: cards of one source say it each."""
    said: set[str] = set()
    for node in page.all("details"):
        text = _BLANKS.sub(" ", _plain(node))
        if text in said:
            node.attributes["hidden"] = ""
        said.add(text)


# ---- From HTML to paper --------------------------------------------------------------------------
def _flow(node: _Node, width: float, *, size: float = TEXT_SIZE) -> Iterator[Flowable]:
    """Yield what stands on paper for this node: runs of text, pictures, tables, in their order."""
    run: list[_Node | str] = []
    for child in node.children:
        if isinstance(child, _Node) and not child.is_printed:
            continue
        if isinstance(child, str) or child.tag == "br" or child.is_inline:
            run.append(child)
            continue
        yield from _paragraph(run, node, size)
        run = []
        if child.tag == "table":
            yield from _table(child, width)
        elif child.is_picture:
            yield from _picture(child, width)
        elif child.tag != "svg":
            yield from _flow(child, width, size=size)
    yield from _paragraph(run, node, size)


def _paragraph(run: Sequence["_Node | str"], node: _Node, size: float) -> Iterator[Flowable]:
    text = _BLANKS.sub(" ", "".join(_inline(each, size) for each in run)).strip()
    text = text.removeprefix("<br/>")
    if not text:
        return
    if node.tag in HEADINGS:
        yield Spacer(0, HEADINGS[node.tag] * 0.6)
        yield Paragraph(f'<font face="{BOLD}">{text}</font>', _style(HEADINGS[node.tag], keep=True))
        return
    if node.tag == "li":
        text = f"• {text}"
    if node.tag in BOLDED:
        text = f'<font face="{BOLD}">{text}</font>'
    yield Paragraph(text, _style(size, colour=SOFT if "soft" in node.classes else INK))


def _inline(child: "_Node | str", size: float) -> str:
    if isinstance(child, str):
        return _marked(child)
    if not child.is_printed or child.tag == "svg":
        return ""
    if child.tag == "br":
        return "<br/>"
    inner = "".join(_inline(each, size) for each in child.children)
    if child.tag in BOLDED:
        return f'<font face="{BOLD}">{inner}</font>'
    if child.tag == "small":
        return f'<br/><font size="{size * SMALL:.2f}" color="{SOFT.hexval()}">{inner}</font>'
    if tone := TONES.get(child.attributes.get("data-tone", "")):
        inner = f'<font color="{tone}">{inner}</font>'
    if child.tag == "span":
        return f" {inner} "
    return inner


def _marked(text: str) -> str:
    return _FAR_EASTERN.sub(lambda run: f'<font face="{CHINESE}">{run[0]}</font>', escape(text))


def _style(size: float, *, colour: Color = INK, keep: bool = False) -> ParagraphStyle:
    return ParagraphStyle(
        "", fontName=LATIN, fontSize=size, leading=size * 1.35, textColor=colour, keepWithNext=keep,
        spaceAfter=size * 0.4, splitLongWords=1,
    )  # fmt: skip


# ---- Tables --------------------------------------------------------------------------------------
def _table(node: _Node, width: float) -> Iterator[Flowable]:
    rows = [
        [cell for cell in row.children if isinstance(cell, _Node) and cell.tag in ("th", "td")]
        for row in node.all("tr")
    ]
    columns = max((sum(map(_span, row)) for row in rows), default=0)
    if not columns:
        return
    for caption in node.all("caption"):
        yield from _flow(caption, width)
    widths = _widths(rows, columns, width)
    heads = sum(1 for head in node.all("thead") for _row in head.all("tr"))
    spans: list[tuple[Any, ...]] = []
    cells: list[list[Any]] = []
    for y, row in enumerate(rows):
        cells.append([""] * columns)
        x = 0
        for cell in row:
            last = min(x + _span(cell), columns) - 1
            inside = sum(widths[x : last + 1]) - 6
            cells[-1][x] = list(_flow(cell, inside, size=CELL_SIZE)) or ""
            if last > x:
                spans.append(("SPAN", (x, y), (last, y)))
            x = last + 1
            if x >= columns:
                break
    looks = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, RULE),
        *((("BACKGROUND", (0, 0), (-1, heads - 1), SHADE),) if heads else ()),
        *((name, (0, 0), (-1, -1), 3) for name in ("LEFTPADDING", "RIGHTPADDING", "TOPPADDING")),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
        *spans,
    ]
    table = LongTable(cells, colWidths=widths, repeatRows=heads, splitInRow=1)
    table.setStyle(TableStyle(looks))
    yield table
    yield Spacer(0, 6)


def _span(cell: _Node) -> int:
    return int(cell.attributes.get("colspan") or 1)


def _widths(rows: Sequence[Sequence[_Node]], columns: int, width: float) -> list[float]:
    """Return how wide the columns are: none narrower than its longest word, where they fit, and
    the rest by how much there is to say in them."""
    least, wished = [12.0] * columns, [12.0] * columns
    for row in rows:
        if len(row) != columns:
            continue
        for x, cell in enumerate(row):
            text = _BLANKS.sub(" ", _plain(cell)).strip()
            words = (pdfmetrics.stringWidth(word, BOLD, CELL_SIZE) for word in text.split())
            least[x] = max(least[x], min(max(words, default=0.0) + 8, width / 3))
            wished[x] = max(wished[x], min(_text_width(text) + 8, width / 2))
            if any(True for _drawn in cell.all("svg") if _drawn.is_picture):
                wished[x] = max(wished[x], 60.0)
    spare = width - sum(least)
    if spare <= 0:
        return [each * width / sum(least) for each in least]
    more = [max(wish - few, 0.1) for wish, few in zip(wished, least, strict=True)]
    return [few + spare * each / sum(more) for few, each in zip(least, more, strict=True)]


def _plain(node: _Node) -> str:
    return "".join(
        child if isinstance(child, str) else f" {_plain(child)}" if child.is_printed else ""
        for child in node.children
    )


def _text_width(text: str) -> float:
    wide = sum(len(run) for run in _FAR_EASTERN.findall(text))
    narrow = pdfmetrics.stringWidth(_FAR_EASTERN.sub("", text), LATIN, CELL_SIZE)
    return float(wide * CELL_SIZE + narrow)


# ---- Pictures ------------------------------------------------------------------------------------
_COLOURS = {"track": RULE, "target": INK, "band": HexColor("#d5e2f5")}


def _picture(node: _Node, width: float) -> Iterator[Flowable]:
    """Draw lines, circles and areas in percent, or in the units of the view box."""
    box = [float(each) for each in node.attributes.get("viewbox", "0 0 100 100").split()]
    high, broad = (24.0, min(width, 160.0)) if "spark" in node.classes else (9.0, min(width, 120.0))
    drawing = Drawing(broad, high + 3)

    def at(raw: str, along: int) -> float:
        share = (
            float(raw[:-1]) / 100
            if raw.endswith("%")
            else (float(raw) - box[along]) / box[along + 2]
        )
        return share * broad if along == 0 else high - share * high + 2

    for shape in node.all("line", "circle", "polygon", "polyline"):
        read = shape.attributes
        colour = next((_COLOURS[each] for each in shape.classes if each in _COLOURS), BRAND)
        if shape.tag == "line":
            ends = (at(read["x1"], 0), at(read["y1"], 1), at(read["x2"], 0), at(read["y2"], 1))
            thick = 2.2 if "range" in shape.classes else 0.8
            drawing.add(Line(*ends, strokeColor=colour, strokeWidth=thick))
        elif shape.tag == "circle":
            middle = (at(read["cx"], 0), at(read["cy"], 1))
            drawing.add(Circle(*middle, 2.2, fillColor=colour, strokeColor=None))
        else:
            pairs = [pair.split(",") for pair in read.get("points", "").split()]
            points = [found for x, y in pairs for found in (at(x, 0), at(y, 1))]
            if shape.tag == "polygon" and points:
                drawing.add(Polygon(points, fillColor=colour, strokeColor=None))
            elif points:
                drawing.add(PolyLine(points, strokeColor=colour, strokeWidth=1))
    if drawing.contents:
        yield drawing
