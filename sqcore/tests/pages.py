"""What every page of the product must be; pages of all rooms are checked with it."""

from html.parser import HTMLParser


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.language = ""
        self.faults: list[str] = []
        self.headings = 0
        self.ids: list[str] = []
        self.landmarks: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "html":
            self.language = given.get("lang") or ""
        if tag == "style":
            self.faults.append("inline style sheet")
        if tag == "script" and "src" not in given and given.get("type") != "application/json":
            self.faults.append("inline script")
        self.faults += [
            f"{name} attribute on {tag}"
            for name in given
            if name == "style" or (name.startswith("on") and not name.startswith("on-"))
        ]
        if tag == "h1":
            self.headings += 1
        if tag in {"main", "nav"}:
            self.landmarks.add(tag)
        if given.get("id"):
            self.ids.append(given["id"] or "")


def faults_of(html: str) -> list[str]:
    """Return what breaks the rules of pages: policy, language, one heading, unique ids."""
    reader = _Reader()
    reader.feed(html)
    faults = reader.faults
    if reader.language not in {"en", "zh-hans"}:
        faults.append(f"language is “{reader.language}”")
    if reader.headings != 1:
        faults.append(f"{reader.headings} main headings")
    if "main" not in reader.landmarks:
        faults.append("no main landmark")
    doubled = sorted({found for found in reader.ids if reader.ids.count(found) > 1})
    return faults + [f"id {found} twice" for found in doubled]
