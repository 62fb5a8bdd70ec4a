"""Pages on paper: what a page says is said by its PDF, and nothing that one presses."""

from io import BytesIO

from pypdf import PdfReader

from sqcore.files.paper import as_pdf


def paper(html: str) -> str:
    pages = PdfReader(BytesIO(as_pdf(html, title="A review", footer="Oak, October"))).pages
    return "\n".join(page.extract_text() for page in pages)


def test_says_headings_sentences_and_tables_in_their_order() -> None:
    said = paper(
        "<section><h2>Diagnosis</h2><p>Of <b>six</b> classes.</p>"
        "<table><thead><tr><th>Class</th><th>n</th></tr></thead>"
        "<tbody><tr><th>Process</th><td>12</td></tr></tbody></table></section>"
    )

    words = ["Diagnosis", "Of six classes.", "Class", "Process", "12", "Oak, October · 1"]
    places = [said.replace("\n", " ").find(word) for word in words]
    assert -1 not in places
    assert sorted(places[:-1]) == places[:-1]


def test_leaves_out_what_one_presses_and_what_is_hidden() -> None:
    said = paper(
        '<nav>Month</nav><form><button>Show</button></form><p hidden>Later</p><p class="unprinted">'
        'To the page</p><p>Kept <span class="visually-hidden">for readers</span></p>'
    )

    assert "Kept" in said
    for word in ("Month", "Show", "Later", "To the page", "for readers"):
        assert word not in said


def test_says_what_several_cards_unfold_once() -> None:
    unfolded = "<details><summary>How sure</summary><p>95 of 100 cases</p></details>"

    assert paper(f"<div>{unfolded}</div><div>{unfolded}</div>").count("95 of 100 cases") == 1


def test_writes_chinese_and_signs_that_fonts_lack() -> None:
    said = paper("<p>总体服务质量 −19.7 – +45.7 ≥ 5</p>")

    assert "总体服务质量" in said
    assert "−19.7 – +45.7 ≥ 5" in said


def test_takes_signs_of_markup_as_text() -> None:
    assert "a < b & c > d" in paper("<p>a &lt; b &amp; c &gt; d</p>")


def test_heads_of_a_long_table_come_again_on_each_page() -> None:
    rows = "".join(f"<tr><td>Branch {at}</td><td>{at}</td></tr>" for at in range(200))
    html = f"<table><thead><tr><th>Unit</th><th>n</th></tr></thead><tbody>{rows}</tbody></table>"

    pages = PdfReader(BytesIO(as_pdf(html, title="", footer=""))).pages

    assert len(pages) > 1
    assert all("Unit" in page.extract_text() for page in pages)


def test_unruly_html_and_rows_of_other_lengths_are_written_all_the_same() -> None:
    said = paper(
        "<p>Open <b>bold</p><table><tr><td colspan='9'>Wide</td></tr><tr><td>One</td></tr></table>"
        "<table></table></section><p>Last"
    )

    assert all(word in said for word in ("Open bold", "Wide", "One", "Last"))


def test_a_word_longer_than_its_column_is_cut_and_a_row_longer_than_a_page_is_split() -> None:
    html = f"<table><tr><td>{'x' * 400}</td><td>{'so many words ' * 3000}</td></tr></table>"

    said = " ".join(paper(html).split())
    assert said.count("words") == 3000


def test_pictures_of_intervals_are_drawn_and_icons_are_not() -> None:
    bar = (
        '<svg class="interval" role="img" aria-label="80"><line class="range" x1="76%" x2="85%" '
        'y1="50%" y2="50%"/><circle class="point" cx="80%" cy="50%" r="4"/></svg>'
    )
    icon = '<svg class="icon" aria-hidden="true"><path d="M0 0"/></svg>'

    plain = as_pdf(f"<p>{icon}80</p>", title="", footer="")

    assert len(as_pdf(f"<p>80</p>{bar}", title="", footer="")) > len(plain)


def test_the_same_page_gives_the_same_bytes() -> None:
    html = "<h1>Review</h1><p>80.7</p>"

    assert as_pdf(html, title="t", footer="f") == as_pdf(html, title="t", footer="f")
