"""Where everything of a process map stands on the page: a column of stages with arrows beside it.

Stages stand one below the other, in bands by phase. Moves to the next stage run straight down, the
others forward on tracks at the right, those back at the left; each label has a place of its own, as
no two arrows on a track overlap.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from unicodedata import east_asian_width

STAGE_WIDTH, STAGE_HEIGHT = 184, 62
END_WIDTH, END_HEIGHT = 132, 34
GAP, HEAD, MARGIN = 46, 30, 16
FIRST_TRACK, TRACK = 24, 66
BADGE_HEIGHT = 20
THINNEST, THICKEST = 1.25, 6.0
NAME_LENGTH = 21
"""In Latin letters; a Chinese character counts as two."""


@dataclass(frozen=True)
class Stop:
    """What a stage is drawn from: its texts, and the title of the band it stands in (ends: none).

    badge: a word that marks it out, or nothing
    """

    key: str
    name: str
    note: str = ""
    again: str = ""
    band: str = ""
    badge: str = ""
    title: str = ""

    @property
    def is_end(self) -> bool:
        return not self.band


@dataclass(frozen=True)
class Move:
    """What an arrow is drawn from: places of its stages in the list of stops, and its texts."""

    source: int
    target: int
    n: int
    label: str
    time: str = ""
    badge: str = ""
    title: str = ""

    @property
    def is_back(self) -> bool:
        return self.target < self.source


@dataclass(frozen=True)
class Badge:
    text: str
    x: int
    y: int
    width: int

    @property
    def height(self) -> int:
        return BADGE_HEIGHT

    @property
    def mark(self) -> str:
        """A filled triangle before the word."""
        return f"M{self.x + 8} {self.y + 14}l5 -9 5 9z"

    @property
    def text_x(self) -> int:
        return self.x + 22

    @property
    def text_y(self) -> int:
        return self.y + 14


@dataclass(frozen=True)
class DrawnStop:
    stop: Stop
    name: str
    x: int
    y: int
    width: int
    height: int
    badge: Badge | None

    @property
    def middle(self) -> int:
        return self.x + self.width // 2

    @property
    def bottom(self) -> int:
        return self.y + self.height

    @property
    def lines(self) -> list[tuple[str, str, int]]:
        """(class, text, baseline) of each line of text."""
        if self.stop.is_end:
            return [("name", self.name, self.y + 22)]
        texts = [("name", self.name), ("note", self.stop.note), ("again", self.stop.again)]
        shown = [(kind, text) for kind, text in texts if text]
        first = self.y + (self.height - 18 * (len(shown) - 1)) // 2 + 5
        return [(kind, text, first + 18 * row) for row, (kind, text) in enumerate(shown)]


@dataclass(frozen=True)
class Arrow:
    """A line with its label; `texts` are (class, text, x, y), anchored at `anchor`."""

    move: Move
    path: str
    width: float
    anchor: str
    texts: list[tuple[str, str, int, int]]
    badge: Badge | None

    @property
    def kind(self) -> str:
        """The class that it is drawn with, and the name of its head."""
        return "marked" if self.badge else ("back" if self.move.is_back else "forth")


@dataclass(frozen=True)
class Band:
    title: str
    y: int
    height: int

    @property
    def text_y(self) -> int:
        return self.y + 20


@dataclass(frozen=True)
class Drawing:
    width: int
    height: int
    bands: list[Band]
    stops: list[DrawnStop]
    arrows: list[Arrow]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The classes of arrows, each with a head of its own."""
        return ("forth", "back", "marked")

    @property
    def band_width(self) -> int:
        return self.width - 8


@dataclass(frozen=True)
class _Side:
    """Arrows on one side of the column: by move its track (0 nearest) and where it meets stages."""

    track: dict[Move, int]
    leaves: dict[Move, int]
    enters: dict[Move, int]

    @property
    def width(self) -> int:
        return FIRST_TRACK + (max(self.track.values()) + 1) * TRACK - 8 if self.track else 0


def draw(stops: Sequence[Stop], moves: Iterable[Move]) -> Drawing:
    """Place stops, in their order from the top, and the moves between them.

    A move of a stop to itself is not drawn: the text of the stop says how often it is done again.
    """
    drawable = sorted(
        (move for move in moves if move.source != move.target),
        key=lambda move: (abs(move.target - move.source), move.source, move.target),
    )
    straight = [move for move in drawable if move.target == move.source + 1]
    rows = _rows(stops)
    right = _side([m for m in drawable if m.target > m.source + 1], stops, rows)
    left = _side([move for move in drawable if move.is_back], stops, rows)
    middle = MARGIN + left.width + STAGE_WIDTH // 2
    placed = [_stop(stop, middle, y) for stop, y in zip(stops, rows, strict=True)]
    most = max((move.n for move in drawable), default=1)
    arrows = [
        *(_bent(move, placed, right, 1, most) for move in right.track),
        *(_bent(move, placed, left, -1, most) for move in left.track),
        *(_straight(move, placed, most) for move in straight),
    ]
    edges = [middle + STAGE_WIDTH // 2 + right.width, *_right_ends(placed, arrows)]
    return Drawing(
        width=max(edges) + MARGIN,
        height=placed[-1].bottom + MARGIN if placed else 0,
        bands=_bands(placed),
        stops=placed,
        arrows=sorted(arrows, key=lambda arrow: (bool(arrow.badge), arrow.move.n)),
    )


def _rows(stops: Sequence[Stop]) -> list[int]:
    """The top of each stop; a band that begins needs room for its title."""
    rows, y, band = [], MARGIN, ""
    for stop in stops:
        if stop.band and stop.band != band:
            y += HEAD
        band = stop.band
        rows.append(y)
        y += (END_HEIGHT if stop.is_end else STAGE_HEIGHT) + GAP
    return rows


def _side(moves: Sequence[Move], stops: Sequence[Stop], rows: Sequence[int]) -> _Side:
    """Give each move the nearest track that is free along its way; moves come shortest first."""
    taken: list[list[tuple[int, int]]] = []
    track = {}
    for move in moves:
        low, high = sorted((move.source, move.target))
        free = (
            number
            for number, spans in enumerate(taken)
            if all(high <= begins or ends <= low for begins, ends in spans)
        )
        number = next(free, len(taken))
        if number == len(taken):
            taken.append([])
        taken[number].append((low, high))
        track[move] = number
    return _Side(track, *_ports(track, stops, rows))


def _ports(
    track: dict[Move, int], stops: Sequence[Stop], rows: Sequence[int]
) -> tuple[dict[Move, int], dict[Move, int]]:
    """Where each arrow leaves and enters its stops, so that neighbours do not cross there.

    Downwards arrows enter in the upper half of a stop, the nearest track first, and leave in the
    lower half, the farthest track first; upwards it is the other way round.
    """
    leaves: dict[Move, int] = {}
    enters: dict[Move, int] = {}
    for place, (stop, y) in enumerate(zip(stops, rows, strict=True)):
        height = END_HEIGHT if stop.is_end else STAGE_HEIGHT
        coming = sorted((m for m in track if m.target == place), key=lambda m: track[m])
        going = sorted((m for m in track if m.source == place), key=lambda m: -track[m])
        upwards = any(move.is_back for move in track)
        upper, lower = (going, coming) if upwards else (coming, going)
        if upwards:
            upper, lower = upper[::-1], lower[::-1]
        for half, moves in ((0, upper), (1, lower)):
            for number, move in enumerate(moves, start=1):
                at = y + round(height / 2 * (half + number / (len(moves) + 1)))
                (enters if move.target == place else leaves)[move] = at
    return leaves, enters


def _stop(stop: Stop, middle: int, y: int) -> DrawnStop:
    width, height = (END_WIDTH, END_HEIGHT) if stop.is_end else (STAGE_WIDTH, STAGE_HEIGHT)
    badge = _badge(stop.badge, middle - _badge_width(stop.badge) // 2, y - BADGE_HEIGHT + 4)
    return DrawnStop(stop, shortened(stop.name), middle - width // 2, y, width, height, badge)


def _bent(move: Move, placed: Sequence[DrawnStop], side: _Side, way: int, most: int) -> Arrow:
    """An arrow out of the side of a stop, along its track, into the side of another."""
    source, target = placed[move.source], placed[move.target]
    y0, y1 = side.leaves[move], side.enters[move]
    x0, x1 = (one.middle + way * one.width // 2 for one in (source, target))
    column = source.middle + way * (STAGE_WIDTH // 2 + FIRST_TRACK + side.track[move] * TRACK)
    turn = min(10, abs(y1 - y0) // 2)
    down = turn if y1 > y0 else -turn
    path = (
        f"M{x0} {y0}H{column - way * turn}Q{column} {y0} {column} {y0 + down}"
        f"V{y1 - down}Q{column} {y1} {column - way * turn} {y1}H{x1 + way * 9}"
    )
    x, y = column + way * 6, (y0 + y1) // 2
    badge = _badge(move.badge, x if way > 0 else x - _badge_width(move.badge), y - 34)
    texts = [("label", move.label, x, y), ("time", move.time, x, y + 15)]
    return Arrow(
        move, path, _thickness(move, most), "start" if way > 0 else "end",
        [text for text in texts if text[1]], badge,
    )  # fmt: skip


def _straight(move: Move, placed: Sequence[DrawnStop], most: int) -> Arrow:
    source, target = placed[move.source], placed[move.target]
    x, y = source.middle, source.bottom + GAP // 2 + 4
    label = f"{move.label} · {move.time}" if move.time else move.label
    badge = _badge(move.badge, x + 18 + _length(label) * 7, y - 14)
    return Arrow(
        move, f"M{x} {source.bottom}V{target.y - 9}", _thickness(move, most), "start",
        [("label", label, x + 10, y)], badge,
    )  # fmt: skip


def _thickness(move: Move, most: int) -> float:
    return round(THINNEST + (THICKEST - THINNEST) * move.n / most, 2)


def _badge_width(text: str) -> int:
    return _length(text) * 7 + 32 if text else 0


def _badge(text: str, x: int, y: int) -> Badge | None:
    return Badge(text, x, y, _badge_width(text)) if text else None


def _bands(placed: Sequence[DrawnStop]) -> list[Band]:
    bands: list[Band] = []
    for one in placed:
        if one.stop.is_end:
            continue
        if bands and bands[-1].title == one.stop.band:
            bands[-1] = Band(one.stop.band, bands[-1].y, one.bottom + 12 - bands[-1].y)
        else:
            bands.append(Band(one.stop.band, one.y - HEAD - 4, one.height + HEAD + 16))
    return bands


def _right_ends(placed: Sequence[DrawnStop], arrows: Sequence[Arrow]) -> list[int]:
    badges = [one.badge for one in placed if one.badge]
    badges += [arrow.badge for arrow in arrows if arrow.badge]
    texts = [
        x + _length(text) * 7 for a in arrows if a.anchor == "start" for _, text, x, _y in a.texts
    ]
    return [*(badge.x + badge.width for badge in badges), *texts]


def _length(text: str) -> int:
    """How wide a text is, in Latin letters."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def shortened(text: str, longest: int = NAME_LENGTH) -> str:
    """Return the text, cut with an ellipsis where it is wider than that many letters.

    >>> shortened("Checking of the identity card")
    'Checking of the iden…'
    >>> shortened("核对客户身份证件信息资料录入")
    '核对客户身份证件信息…'
    """
    if _length(text) <= longest:
        return text
    kept = text
    while _length(kept) > longest - 1:
        kept = kept[:-1]
    return f"{kept}…"
