"""By what certificates can be filtered over REST. Nothing else is looked at."""

from django_filters import CharFilter, FilterSet

from sqcore.org.filters import IsoDateFilter
from training.certificates.models import Certificate


class CertificateFilter(FilterSet):
    course = CharFilter("course__code", help_text="The code of a course", max_length=50)
    staff = CharFilter("staff__number", help_text="A staff number", max_length=30)
    number = CharFilter(help_text="The number of a certificate", max_length=40)
    external_key = CharFilter(help_text="The key in another system", max_length=80)
    issued_from = IsoDateFilter("issued_on", "gte", help_text="Issued on this day or later")
    expires_before = IsoDateFilter("expires_on", "lt", help_text="Ends before this day")

    class Meta:
        model = Certificate
        fields: list[str] = []
