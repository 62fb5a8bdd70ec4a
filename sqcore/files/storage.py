"""Where files wait between being given and being taken in."""

import hashlib
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from sqcore.base.errors import InvalidInput
from sqcore.files.importers import LIMITS


def private_folder(name: str) -> Path:
    """Return a folder of the data home that its owner alone can read; it is there."""
    path = Path(settings.MEDIA_ROOT) / name
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


@contextmanager
def stored(chunks: Iterable[bytes], folder: Path) -> Iterator[tuple[Path, str]]:
    """Store a file under a random name and give its path and SHA-256; if the block fails, the
    file is gone again.

    raises: InvalidInput when it is too big
    """
    path = folder / secrets.token_hex(16)
    try:
        yield path, _write(path, chunks)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _write(path: Path, chunks: Iterable[bytes]) -> str:
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        path.chmod(0o600)
        for chunk in chunks:
            size += len(chunk)
            if size > LIMITS.file_bytes:
                raise InvalidInput(
                    _("The file has more than %(most)s MB. Split it.")
                    % {"most": f"{LIMITS.file_bytes / 1e6:,.0f}"}
                )
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()
