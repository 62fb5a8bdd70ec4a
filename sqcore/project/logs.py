"""What the log may not say."""

import logging
import re

RESPONDENTS = ("/a/", "/i/", "/e/")
"""Below these respondents and experts answer by a link that is theirs alone."""
_LINK = re.compile(rf"(?<![\w/])({'|'.join(RESPONDENTS)})[^/\s]+")


class HideLinks(logging.Filter):
    """Keep respondents' links out of the log: with its time a line would say who answered when."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if any(beginning in message for beginning in RESPONDENTS):
            record.msg, record.args = _LINK.sub(r"\1…", message), ()
        return True
