"""Where downloaded data is kept, and how it gets there in one step."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from schemas.errors import DatasetError


def default_cache_dir(environment: Mapping[str, str], home: Path) -> Path:
    """`penstock` below XDG_CACHE_HOME where that is an absolute path, else below `~/.cache`."""
    xdg = environment.get("XDG_CACHE_HOME", "")
    return (Path(xdg) if os.path.isabs(xdg) else home / ".cache") / "penstock"


def store(files: Mapping[str, bytes], folder: Path) -> None:
    """Make `folder` hold exactly these files; readers see the old folder, none, or the new one.

    Of two processes that store the same data at once, the later one leaves the earlier's folder.
    Raises DatasetError when the disk refuses.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            for name, data in files.items():
                (draft / name).write_bytes(data)
            if folder.exists() and not _holds(folder, files):
                shutil.rmtree(folder)  # half a folder that something else left behind
            if not folder.exists():
                _move(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        msg = f"the cache folder can be written; {folder}: {error}; name another by XDG_CACHE_HOME"
        raise DatasetError(msg) from error


def _holds(folder: Path, files: Mapping[str, bytes]) -> bool:
    return all((folder / name).is_file() for name in files)


def _move(draft: Path, folder: Path) -> None:
    try:
        draft.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was quicker, with the same data
            raise
