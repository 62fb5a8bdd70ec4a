"""The review of a unit as a PDF: what its page says, with nothing to press."""

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from sqcore.evaluation.forms import Asked
from sqcore.files.paper import as_pdf
from sqcore.identity.principals import Principal
from sqcore.reports.review import review

MEDIA_TYPE = "application/pdf"


@dataclass(frozen=True)
class PaperReview:
    name: str
    content: bytes

    def response(self) -> HttpResponse:
        headers = {"Content-Disposition": f'attachment; filename="{self.name}"'}
        return HttpResponse(self.content, content_type=MEDIA_TYPE, headers=headers)


def paper_of(
    *, principal: Principal, code: str, asked: Asked, request: HttpRequest, now: datetime
) -> PaperReview | None:
    """Return the review in the language of the moment; None while nothing was evaluated.

    raises: NotFound
    """
    page = review(principal=principal, code=code, asked=asked, now=now)
    if page is None:
        return None
    html = render_to_string(
        "sqcore/reports/review.html", {"page": page, "now": now, "base": "paper.html"}, request
    )
    period = page.unit.chosen.title
    title = _("Review of %(unit)s, %(title)s") % {"unit": page.unit.unit, "title": period}
    name = f"review-{page.unit.unit.code}-{page.period}.pdf"
    return PaperReview(name, as_pdf(html, title=title, footer=title))
