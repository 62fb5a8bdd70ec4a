"""Run a command that must not outlive its parent: `-m sqcore.project.tether PARENT COMMAND…`.

On Linux the kernel kills the command when the parent dies, however that happens. Elsewhere this
process stays beside it and watches the parent.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies; only Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(parent: int, command: list[str]) -> None:
    die_with_parent()
    if os.getppid() != parent:
        return  # it died before the kernel was asked
    if sys.platform == "linux":
        os.execvp(command[0], command)  # noqa: S606 - the same process becomes the command
    _watch(parent, command)


def _watch(parent: int, command: list[str]) -> None:
    child = subprocess.Popen(command)  # noqa: S603 - the supervisor's command
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    while child.poll() is None:
        if os.getppid() != parent:
            os.killpg(0, signal.SIGKILL)
        time.sleep(0.5)
    sys.exit(child.returncode)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
