"""Evidence of training elsewhere: judged by its content alone, handed out as a download only."""

import unicodedata
from pathlib import PurePath

from django.http import HttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from sqcore.base.errors import InvalidInput, NotFound, Problem
from training.certificates.models import ExternalTraining

LARGEST = 10 * 1024 * 1024
LONGEST_NAME = 120
KINDS = {
    "application/pdf": (".pdf",),
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/webp": (".webp",),
}
"""What is taken, each with the endings that its name may have; the first is given."""
_FORBIDDEN = frozenset('<>:"/\\|?*')


def kind_of(content: bytes) -> str:
    """Return what a file is by its content. raises: InvalidInput for what is not taken"""
    if not content:
        raise _refused(_("The file is empty."))
    if len(content) > LARGEST:
        raise _refused(
            _("The file is larger than %(most)d MB. Attach a smaller one.")
            % {"most": LARGEST // (1024 * 1024)}
        )
    if content.startswith(b"%PDF-"):
        return "application/pdf"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    raise _refused(_("Attach a PDF file or a picture (PNG, JPEG, WebP)."))


def clean_name(given: str, *, kind: str) -> str:
    """Return a name that is only a name, and ends as files of its kind do.

    >>> clean_name("../../etc/scan.html", kind="application/pdf")
    'scan.html.pdf'
    >>> clean_name("C:\\\\scans\\\\page 1.JPG", kind="image/jpeg")
    'page 1.JPG'
    """
    last = PurePath(given.replace("\\", "/")).name
    signs = (sign for sign in unicodedata.normalize("NFC", last) if sign not in _FORBIDDEN)
    kept = "".join(
        " " if sign.isspace() else sign
        for sign in signs
        if sign.isspace() or unicodedata.category(sign)[0] != "C"
    )
    name = " ".join(kept.split()).rstrip(". ")
    endings = KINDS[kind]
    ending = next((end for end in endings if name.lower().endswith(end)), "")
    stem = name[: -len(ending)] if ending else name
    ending = name[len(stem) :] or endings[0]
    return (stem[: LONGEST_NAME - len(ending)].strip(". ") or "evidence") + ending


def handed_out(external: ExternalTraining) -> HttpResponse:
    """Return the evidence as a download, which no browser opens in the page or takes for another
    kind. The caller has checked who may see it. raises: NotFound where there is none"""
    if external.evidence is None:
        raise NotFound(_("There is no such file."))
    response = HttpResponse(bytes(external.evidence), content_type=external.evidence_type)
    named = content_disposition_header(as_attachment=True, filename=external.evidence_name)
    response["Content-Disposition"] = named or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-store"
    return response


def _refused(reason: str) -> InvalidInput:
    return InvalidInput(reason, problems=[Problem(reason, field="evidence")])
