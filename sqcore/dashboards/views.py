"""The living page of the design."""

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from sqcore.dashboards import specimens


@login_required
@require_GET
def design(request: HttpRequest) -> HttpResponse:
    """Show every component with invented numbers, for those who build and check pages."""
    if not request.user.is_staff:
        raise PermissionDenied
    context = {
        "figure": specimens.line_figure(),
        "comparison": specimens.comparison_figure(),
        "trend": specimens.TREND,
        "gappy_trend": specimens.GAPPY_TREND,
        "rows": specimens.ROWS,
        "choices": specimens.CHOICES,
        "wrong_rows": [
            "row 12, unit: there is no unit “harbor”",
            "row 19, q3: 9 is outside 1 to 5",
        ],
        "form": specimens.SpecimenForm({"answers": "abc"} if "errors" in request.GET else None),
        "page": Paginator(range(134), 25).get_page(2),
        "trail": [("Quality", "#"), ("Region North", "#"), ("Bell Street", "")],
    }
    return render(request, "sqcore/dashboards/design.html", context)
