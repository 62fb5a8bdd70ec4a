"""Certificates and training had elsewhere as proofs that a course was passed."""

from collections.abc import Collection
from datetime import date

from training.certificates.queries import completions
from training.enrolments.sources import Passed


class HeldCertificates:
    """A certificate in force, or approved training elsewhere that gave none."""

    key = "certificates"

    def passed(self, staff_ids: Collection[int], course_ids: Collection[int], on: date) -> Passed:
        return set(completions(staff_ids, course_ids, on=on))
