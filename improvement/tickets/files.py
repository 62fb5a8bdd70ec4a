"""Files of tickets: what they are by their content, under which name, and how they leave again.

A name and a browser's word about a file are believed in nothing.
"""

import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

from django.http import FileResponse
from django.utils.translation import gettext as _

from improvement.tickets.models import Attachment
from sqcore.base.errors import InvalidInput, NotFound
from sqcore.files.storage import private_folder

LARGEST = 10 * 1024 * 1024
LONGEST_NAME = 120
FOLDER = "tickets"
_OFFICE = "application/vnd.openxmlformats-officedocument"
ENDINGS = {
    "application/pdf": (".pdf",),
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/webp": (".webp",),
    "text/plain": (".txt",),
    "text/csv": (".csv",),
    f"{_OFFICE}.wordprocessingml.document": (".docx",),
    f"{_OFFICE}.spreadsheetml.sheet": (".xlsx",),
    f"{_OFFICE}.presentationml.presentation": (".pptx",),
}
"""What may be attached, each with the endings that a name of it may have; the first is given."""
_MAIN_PARTS = {
    "word/document.xml": f"{_OFFICE}.wordprocessingml.document",
    "xl/workbook.xml": f"{_OFFICE}.spreadsheetml.sheet",
    "ppt/presentation.xml": f"{_OFFICE}.presentationml.presentation",
}
_FORBIDDEN = frozenset('<>:"/\\|?*')


def folder() -> Path:
    return private_folder(FOLDER)


def bounded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass the chunks on. raises: InvalidInput when they are too many or nothing"""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > LARGEST:
            raise InvalidInput(
                _("The file is larger than %(most)d MB. Attach a smaller one.")
                % {"most": LARGEST // (1024 * 1024)}
            )
        yield chunk
    if not size:
        raise InvalidInput(_("The file is empty."))


def kind_of(path: Path, *, name: str) -> str:
    """Return what a file is by its content. raises: InvalidInput for what is not on the list"""
    with path.open("rb") as file:
        head = file.read(16)
    found = _image_or_pdf(head)
    if not found and head.startswith(b"PK\x03\x04"):
        found = _office(path)
    if not found and _is_text(path):
        found = "text/csv" if name.lower().endswith(".csv") else "text/plain"
    if not found:
        raise InvalidInput(
            _(
                "Files of this kind cannot be attached. There are PDF, PNG, JPEG, WebP, plain "
                "text, CSV, and Word, Excel and PowerPoint files without macros."
            )
        )
    return found


def _image_or_pdf(head: bytes) -> str:
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    return "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else ""


def _office(path: Path) -> str:
    """Return which kind of office file it is; empty for any other archive, and with macros.

    Only the list of its parts is read; nothing is unpacked.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return ""
    has_macros = any(name.lower().endswith("vbaproject.bin") for name in names)
    if has_macros or "[Content_Types].xml" not in names:
        return ""
    return next((kind for part, kind in _MAIN_PARTS.items() if part in names), "")


def _is_text(path: Path) -> bool:
    content = path.read_bytes()
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    for tried in (encoding, "gb18030"):
        try:
            text = content.decode(tried)
        except UnicodeDecodeError:
            continue
        return not any(sign < " " and sign not in "\t\n\r\f" for sign in text)
    return False


def clean_name(given: str, *, kind: str) -> str:
    """Return a name that is only a name, and ends as files of its kind do.

    >>> clean_name("../../etc/notes.html", kind="text/plain")
    'notes.html.txt'
    >>> clean_name("C:\\\\scans\\\\page 1.JPG", kind="image/jpeg")
    'page 1.JPG'
    >>> clean_name("\\u202egpj.exe", kind="image/png")
    'gpj.exe.png'
    """
    last = PurePath(given.replace("\\", "/")).name
    signs = (
        " " if sign.isspace() else sign
        for sign in unicodedata.normalize("NFC", last)
        if sign.isspace() or unicodedata.category(sign)[0] != "C"
    )
    kept = "".join(sign for sign in signs if sign not in _FORBIDDEN)
    name = " ".join(kept.split()).rstrip(". ")
    endings = ENDINGS[kind]
    ending = next((end for end in endings if name.lower().endswith(end)), "")
    stem = name[: -len(ending)] if ending else name
    ending = name[len(stem) :] or endings[0]
    return (stem[: LONGEST_NAME - len(ending)].strip(". ") or "file") + ending


def handed_out(attachment: Attachment) -> FileResponse:
    """Return a file as a download, which no browser opens in the page or takes for another kind.

    raises: NotFound when the file is gone
    """
    path = folder() / Path(attachment.path).name
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise NotFound(_("There is no such file.")) from error
    response = FileResponse(
        file, as_attachment=True, filename=attachment.name, content_type=attachment.kind
    )
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-store"
    return response
