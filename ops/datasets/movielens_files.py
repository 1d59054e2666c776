"""Finds the files of MovieLens 100K: the user's copy, the cache, GroupLens, a wheel that has them.

GroupLens' licence forbids passing the data on, so it is fetched on the user's machine and is no
part of this project.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ops.datasets.cache import store
from ops.datasets.dataset import DatasetOptions
from ops.datasets.movielens_layouts import file_names
from schemas.errors import DatasetError

NAME = "movielens-100k"
GROUPLENS_URL = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
GROUPLENS_MD5 = "0e33842e24a9c977be4e0107933c0723"
WHEEL = "recbole==1.2.1"
_WHEEL_FOLDER = "recbole/dataset_example/ml-100k/"
_NAMES = ("u.data", "u.item", "u.user", "ml-100k.inter", "ml-100k.item", "ml-100k.user")
_FETCH_TIMEOUT_S = 10
_FETCH_MAX_BYTES = 50_000_000
_PIP_TIMEOUT_S = 120

Fetch = Callable[[str], bytes]
"""The content of a URL. Raises DatasetError with the reason."""
DownloadWheel = Callable[[str, Path], None]
"""Puts the wheel of a requirement into a folder. Raises DatasetError with the reason."""


def fetch_url(url: str) -> bytes:
    """The content of a URL, of at most 50 MB, each step of it within 10 s."""
    try:
        with urllib.request.urlopen(url, timeout=_FETCH_TIMEOUT_S) as response:
            data: bytes = response.read(_FETCH_MAX_BYTES + 1)
    except urllib.request.HTTPError as error:
        error.close()
        raise DatasetError(str(error)) from error
    except (OSError, http.client.HTTPException) as error:
        raise DatasetError(str(error)) from error
    if len(data) > _FETCH_MAX_BYTES:
        msg = f"a download has at most {_FETCH_MAX_BYTES} bytes; got more"
        raise DatasetError(msg)
    return data


def download_wheel(requirement: str, folder: Path) -> None:
    """`pip download` of the wheel alone, by the pip of this interpreter; nothing is installed."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder), requirement]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_PIP_TIMEOUT_S)
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.decode(errors="replace").splitlines() if line]
        # pip ends with its errors, but warnings may come after them
        told = [line for line in lines if line.startswith("ERROR")] or lines or ["no reason given"]
        msg = f"pip: {told[-1]}"
        raise DatasetError(msg) from error
    except subprocess.TimeoutExpired as error:
        msg = f"pip download ends within {_PIP_TIMEOUT_S} s; it did not"
        raise DatasetError(msg) from error


def read_files(path: Path) -> dict[str, bytes]:
    """MovieLens' files by name, from a folder or a zip file (in which they may lie deeper).

    Raises DatasetError when they are not there.
    """
    try:
        if path.is_dir():
            files = {f.name: f.read_bytes() for f in sorted(path.iterdir()) if _wanted(f.name)}
        else:
            files = _unzip(path.read_bytes())
    except OSError as error:
        msg = f"a MovieLens path is a folder or a zip file; {path}: {error.strerror}"
        raise DatasetError(msg) from error
    if file_names(files) is None:
        msg = f"a MovieLens path has u.data and u.item, or NAME.inter and NAME.item; {path} has not"
        raise DatasetError(msg)
    return files


def locate_movielens(
    options: DatasetOptions,
    fetch: Fetch = fetch_url,
    download: DownloadWheel = download_wheel,
) -> Path:
    """The folder or zip file that `read_files` can read.

    In this order: `options.path` (and nothing else when that is given), what was kept in the cache,
    GroupLens' download, the copy in a wheel. Each source that fails is said in one line.

    Raises DatasetError when none works, with all that was tried and what to do.
    """
    if options.path is not None:
        read_files(options.path)
        return options.path
    folder = options.cache_dir / NAME
    if folder.is_dir() and file_names({f.name: f for f in folder.iterdir()}):
        return folder
    sources = {
        GROUPLENS_URL: partial(_from_grouplens, fetch),
        f"the wheel {WHEEL}": partial(_from_wheel, download),
    }
    tried = []
    for label, source in sources.items():
        try:
            files = source()
        except DatasetError as error:
            tried.append(f"{NAME} not from {label}: {error}")
            options.say(tried[-1])
        else:
            store(files, folder)
            options.say(f"{NAME} from {label}, kept in {folder}")
            return folder
    advice = "connect to a network, or download it elsewhere and give it with --path"
    raise DatasetError("\n".join([f"{NAME} was not found; {advice}", *tried]))


def _from_grouplens(fetch: Fetch) -> dict[str, bytes]:
    data = fetch(GROUPLENS_URL)
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if digest != GROUPLENS_MD5:
        msg = f"its md5 is {GROUPLENS_MD5}; got {digest}"
        raise DatasetError(msg)
    return _unzip(data)


def _from_wheel(download: DownloadWheel) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        download(WHEEL, Path(folder))
        wheels = list(Path(folder).glob("*.whl"))
        if len(wheels) != 1:
            msg = f"one wheel is downloaded; got {len(wheels)}"
            raise DatasetError(msg)
        files = _unzip(wheels[0].read_bytes(), _WHEEL_FOLDER)
    if file_names(files) is None:
        msg = f"the wheel has {_WHEEL_FOLDER}ml-100k.inter and .item; this one has not"
        raise DatasetError(msg)
    return files


def _wanted(name: str) -> bool:
    return name in _NAMES or name.endswith((".inter", ".item", ".user"))


def _unzip(data: bytes, prefix: str = "") -> dict[str, bytes]:
    """The wanted files of an archive by their last name; nothing is written to disk."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {
                name.rpartition("/")[2]: archive.read(name)
                for name in archive.namelist()
                if name.startswith(prefix) and _wanted(name.rpartition("/")[2])
            }
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        msg = f"a zip file can be unpacked; {error}"
        raise DatasetError(msg) from error
