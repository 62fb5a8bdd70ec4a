"""For the test suite: nothing of the machine's own settings counts, but the servers to test on."""

import os

from sqcore.project.env import TEST_PREFIX

os.environ["SQ_MODE"] = "embedded"
for name in [name for name in os.environ if name.startswith("SQ_")]:
    if not name.startswith(TEST_PREFIX):
        del os.environ[name]

from sqcore.project.settings.base import *  # noqa: E402, F403 - settings build on each other
