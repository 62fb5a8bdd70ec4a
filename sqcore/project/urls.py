"""All addresses of the product."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("sqcore.urls")),
    path("", include("surveys.urls")),
    path("api/v1/", include("sqcore.api_urls")),
    path("api/v1/", include("surveys.api_urls")),
    path("admin/", admin.site.urls),
]
