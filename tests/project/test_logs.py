"""Respondents' links stay out of the log."""

import logging

import pytest

from sqcore.project.logs import HideLinks


@pytest.mark.parametrize(
    ("message", "arguments", "shown"),
    [
        ("%s: %s", ("Bad Request", "/a/Zk3-xYz/send/"), "Bad Request: /a/…/send/"),
        ("%s: %s", ("Gone", "/i/Zk3-xYz_0"), "Gone: /i/…"),
        ("%s: %s", ("Not Found", "/quality/"), "Not Found: /quality/"),
        ("read /data/a/b", (), "read /data/a/b"),
        ("at %d %%", (3,), "at 3 %"),
    ],
)
def test_a_line_does_not_name_the_link(
    message: str, arguments: tuple[object, ...], shown: str
) -> None:
    record = logging.LogRecord("django.request", 30, "", 0, message, arguments, None)

    HideLinks().filter(record)

    assert record.getMessage() == shown
