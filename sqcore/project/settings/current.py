"""The settings in force: embedded unless `SQ_MODE=server`."""

from sqcore.project.settings.base import MODE

if MODE == "server":
    from sqcore.project.settings.server import *  # noqa: F403 - the chosen settings are the module
else:
    from sqcore.project.settings.embedded import *  # noqa: F403 - the chosen settings are the module
