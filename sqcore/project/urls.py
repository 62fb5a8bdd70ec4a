"""All addresses of the product."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from sqcore.access.api import server_error, unknown_address
from sqcore.project.health import healthz, readyz

urlpatterns = [
    path("healthz", healthz),
    path("readyz", readyz),
    path("favicon.ico", RedirectView.as_view(url="/static/mark.svg")),
    path("api/v1/", include("sqcore.api_urls")),
    path("api/v1/", include("surveys.api_urls")),
    path("api/v1/", include("improvement.api_urls")),
    path("api/v1/", include("training.api_urls")),
    re_path("^api/", unknown_address),
    # Addresses are tried in this order; respondents come most.
    path("", include("surveys.urls")),
    path("", include("sqcore.urls")),
    path("", include("improvement.urls")),
    path("", include("training.urls")),
    path("language/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
]
handler500 = server_error
