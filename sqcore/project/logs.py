"""What the log may not say."""

import logging
import re

RESPONDENTS = "/a/"
"""Below this respondents answer by a link that is theirs alone."""
_LINK = re.compile(rf"(?<![\w/]){RESPONDENTS}[^/\s]+")


class HideLinks(logging.Filter):
    """Keep respondents' links out of the log: with its time a line would say who answered when."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if RESPONDENTS in message:
            record.msg, record.args = _LINK.sub(f"{RESPONDENTS}…", message), ()
        return True
