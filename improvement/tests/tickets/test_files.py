"""Files of tickets: kept by their content, refused by their content, handed out as downloads."""

import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from improvement.tests.factories import Bank, make_bank, make_ticket
from improvement.tickets import comments, files
from improvement.tickets.comments import attach_file
from improvement.tickets.files import LARGEST, clean_name, folder, handed_out
from improvement.tickets.models import Attachment, Ticket
from improvement.tickets.queries import attachment_of
from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, DomainError, InvalidInput, NotFound, NotPermitted
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE
from sqcore.tests.factories import NOW, make_principal

pytestmark = pytest.mark.django_db
PDF = b"%PDF-1.7\nhello"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def attach(
    bank: Bank, ticket: Ticket, content: bytes, name: str = "a.pdf", by: User | None = None
) -> Attachment:
    return attach_file(
        ticket_id=ticket.pk, name=name, chunks=[content], by=bank.as_(by or bank.li), now=NOW
    )


def stored() -> list[Path]:
    return sorted(folder().iterdir())


def archive(*names: str) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for name in names:
            made.writestr(name, "x")
    return content.getvalue()


def test_a_file_is_kept_privately_under_a_random_name(bank: Bank) -> None:
    made = attach(bank, make_ticket(bank.north), PDF, "../Minutes of May.pdf")

    (path,) = stored()
    assert (made.name, made.kind, made.size, made.by) == (
        "Minutes of May.pdf", "application/pdf", len(PDF), bank.li,
    )  # fmt: skip
    assert (path.name, path.read_bytes()) == (made.path, PDF)
    assert len(path.name) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder().stat().st_mode & 0o777 == 0o700
    assert AuditEntry.objects.get().action == "ticket.file_attached"


def test_the_same_file_is_kept_once_a_ticket(bank: Bank) -> None:
    ticket, other = make_ticket(bank.north), make_ticket(bank.north)

    first = attach(bank, ticket, PDF)
    again = attach(bank, ticket, PDF, "b.pdf")
    elsewhere = attach(bank, other, PDF)

    assert first == again != elsewhere
    assert len(stored()) == Attachment.objects.count() == 2


@pytest.mark.parametrize(
    ("content", "name", "kind", "kept"),
    [
        (PDF, "x.png", "application/pdf", "x.png.pdf"),
        (PNG, "x.PNG", "image/png", "x.PNG"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 9, "x.jpeg", "image/jpeg", "x.jpeg"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "x", "image/webp", "x.webp"),
        (b"Guten Tag", "x.txt", "text/plain", "x.txt"),
        ("等待时间,5\n".encode("gb18030"), "x.csv", "text/csv", "x.csv"),
        (b"<script>alert(1)</script>", "x.html", "text/plain", "x.html.txt"),
        (
            archive("[Content_Types].xml", "word/document.xml"), "x.docx",
            files._MAIN_PARTS["word/document.xml"], "x.docx",
        ),
        (
            archive("[Content_Types].xml", "xl/workbook.xml"), "x.xlsx",
            files._MAIN_PARTS["xl/workbook.xml"], "x.xlsx",
        ),
        (
            archive("[Content_Types].xml", "ppt/presentation.xml"), "x.pptx",
            files._MAIN_PARTS["ppt/presentation.xml"], "x.pptx",
        ),
    ],
)  # fmt: skip
def test_what_it_is_its_content_says(
    bank: Bank, content: bytes, name: str, kind: str, kept: str
) -> None:
    made = attach(bank, make_ticket(bank.north), content, name)

    assert (made.kind, made.name) == (kind, kept)


@pytest.mark.parametrize(
    "content",
    [
        b"MZ\x90\0\x03\0\0\0",
        b"\x7fELF\x02\x01\x01\0",
        b"GIF89a\x01\0\x01\0",
        archive("a.txt"),
        archive("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"),
        b"PK\x03\x04 no archive at all \0",
        b"",
    ],
)
def test_what_is_not_on_the_list_leaves_nothing(bank: Bank, content: bytes) -> None:
    ticket = make_ticket(bank.north)

    with pytest.raises(InvalidInput):
        attach(bank, ticket, content, "harmless.pdf")

    assert stored() == []
    assert not Attachment.objects.exists()
    assert not AuditEntry.objects.exists()


def test_what_is_too_large_is_refused_while_it_comes(bank: Bank) -> None:
    ticket = make_ticket(bank.north)
    taken = []

    def endless() -> Iterator[bytes]:
        while True:
            taken.append(1)
            yield b"%PDF-" + b"x" * 1_048_571

    with pytest.raises(InvalidInput, match="larger than 10 MB"):
        attach_file(
            ticket_id=ticket.pk, name="a.pdf", chunks=endless(), by=bank.as_(bank.li), now=NOW
        )

    assert len(taken) == LARGEST // 1_048_576 + 1
    assert stored() == []


def test_an_upload_that_breaks_leaves_nothing(bank: Bank) -> None:
    ticket = make_ticket(bank.north)

    def broken() -> Iterator[bytes]:
        yield PDF
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        attach_file(
            ticket_id=ticket.pk, name="a.pdf", chunks=broken(), by=bank.as_(bank.li), now=NOW
        )

    assert stored() == []
    assert not Attachment.objects.exists()


def test_others_and_programs_cannot_attach(bank: Bank) -> None:
    ticket = make_ticket(bank.north)
    client = make_principal(
        {Permission.VIEW_TICKETS: EVERYWHERE, Permission.PROPOSE_TICKETS: EVERYWHERE}, key="token:1"
    )
    refused: list[type[DomainError]] = []

    for by in (bank.as_(bank.chen), client):
        with pytest.raises(DomainError) as refusal:
            attach_file(ticket_id=ticket.pk, name="a.pdf", chunks=[PDF], by=by, now=NOW)
        refused.append(type(refusal.value))

    assert refused == [NotFound, NotPermitted]
    assert stored() == []


def test_a_ticket_holds_so_many_files(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = make_ticket(bank.north)
    monkeypatch.setattr(comments, "MOST_FILES", 1)
    attach(bank, ticket, PDF)

    with pytest.raises(Conflict, match="at most 1 files"):
        attach(bank, ticket, PNG)

    assert len(stored()) == 1


def test_a_file_leaves_as_a_download_only(bank: Bank) -> None:
    ticket = make_ticket(bank.north)
    made = attach(bank, ticket, b"<script>alert(1)</script>", "等待.html")

    found = attachment_of(bank.as_(bank.mei), ticket_id=ticket.pk, attachment_id=made.pk)
    response = handed_out(found)

    assert b"".join(response) == b"<script>alert(1)</script>"
    response.close()
    assert response["Content-Disposition"].startswith("attachment; filename")
    assert response["Content-Type"] == "text/plain"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_who_does_not_see_the_ticket_does_not_see_its_files(bank: Bank) -> None:
    ticket, other = make_ticket(bank.north), make_ticket(bank.elsewhere)
    made = attach(bank, ticket, PDF)

    for asker, ticket_id in ((bank.chen, ticket.pk), (bank.ana, other.pk)):
        with pytest.raises(NotFound):
            attachment_of(bank.as_(asker), ticket_id=ticket_id, attachment_id=made.pk)


def test_a_file_that_is_gone_is_not_there(bank: Bank) -> None:
    made = attach(bank, make_ticket(bank.north), PDF)
    stored()[0].unlink()

    with pytest.raises(NotFound):
        handed_out(made)


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ("", "file.pdf"),
        (".pdf", "file.pdf"),
        ("..", "file.pdf"),
        ("/etc/passwd", "passwd.pdf"),
        ('a"b\r\nSet-Cookie: x.pdf', "ab Set-Cookie x.pdf"),
        ("x" * 300 + ".pdf", "x" * 116 + ".pdf"),
        ("会议 纪要.pdf", "会议 纪要.pdf"),
    ],
)
def test_names_are_cleaned(given: str, cleaned: str) -> None:
    assert clean_name(given, kind="application/pdf") == cleaned
