"""Where MovieLens comes from: order of sources, cache, and what is said."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path

import pytest

from ops.datasets.cache import default_cache_dir
from ops.datasets.dataset import DatasetOptions
from ops.datasets.movielens import movielens_from
from ops.datasets.movielens_files import (
    GROUPLENS_MD5,
    GROUPLENS_URL,
    fetch_url,
    locate_movielens,
    read_files,
)
from schemas.errors import DatasetError
from schemas.events import FeatureValue

FILES = {"u.data": b"1\t2\t4\t5\n", "u.item": b"", "u.user": b""}
ATOMIC = {
    "ml-100k.inter": b"user_id\titem_id\trating\ttimestamp\n1\t2\t4\t5\n",
    "ml-100k.item": b"item_id\tmovie_title\trelease_year\tclass\n",
}


def _zip(files: dict[str, bytes], prefix: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            archive.writestr(prefix + name, data)
    return packed.getvalue()


def _no_fetch(url: str) -> bytes:
    msg = f"no network for {url}"
    raise DatasetError(msg)


def _no_wheel(requirement: str, folder: Path) -> None:
    msg = "pip: no index"
    raise DatasetError(msg)


def _wheel(files: dict[str, bytes]) -> Callable[[str, Path], None]:
    def download(requirement: str, folder: Path) -> None:
        assert requirement == "recbole==1.2.1"
        data = _zip(files, "recbole/dataset_example/ml-100k/")
        (folder / "recbole-1.2.1-py3-none-any.whl").write_bytes(data)

    return download


def _options(tmp_path: Path, path: Path | None = None) -> tuple[DatasetOptions, list[str]]:
    said: list[str] = []
    return DatasetOptions(tmp_path / "cache", said.append, path), said


def test_the_wheel_is_next_when_grouplens_fails_and_the_failure_is_one_line(tmp_path: Path) -> None:
    options, said = _options(tmp_path)
    folder = locate_movielens(options, _no_fetch, _wheel(ATOMIC | {"ml-100k.kg": b"no"}))
    assert folder == tmp_path / "cache" / "movielens-100k"
    assert {f.name: f.read_bytes() for f in folder.iterdir()} == ATOMIC
    assert said == [
        f"movielens-100k not from {GROUPLENS_URL}: no network for {GROUPLENS_URL}",
        f"movielens-100k from the wheel recbole==1.2.1, kept in {folder}",
    ]


def test_what_is_in_the_cache_is_not_fetched_again(tmp_path: Path) -> None:
    options, said = _options(tmp_path)
    folder = locate_movielens(options, _no_fetch, _wheel(ATOMIC))
    said.clear()
    assert locate_movielens(options, _no_fetch, _no_wheel) == folder
    assert said == []


def test_half_a_cache_is_fetched_again(tmp_path: Path) -> None:
    options, _ = _options(tmp_path)
    folder = locate_movielens(options, _no_fetch, _wheel(ATOMIC))
    (folder / "ml-100k.item").unlink()
    (folder / "notes").write_text("mine")
    assert locate_movielens(options, _no_fetch, _wheel(ATOMIC)) == folder
    assert sorted(os.listdir(folder)) == sorted(ATOMIC)
    assert os.listdir(folder.parent) == [folder.name]  # no draft stays behind


def test_a_download_with_another_md5_is_refused(tmp_path: Path) -> None:
    options, said = _options(tmp_path)
    data = _zip(FILES, "ml-100k/")
    locate_movielens(options, lambda url: data, _wheel(ATOMIC))
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert said[0].endswith(f"its md5 is {GROUPLENS_MD5}; got {found}")


def test_when_nothing_works_all_that_was_tried_is_listed(tmp_path: Path) -> None:
    options, said = _options(tmp_path)
    with pytest.raises(DatasetError) as caught:
        locate_movielens(options, _no_fetch, _no_wheel)
    lines = str(caught.value).splitlines()
    assert "--path" in lines[0]
    assert lines[1:] == said
    assert len(said) == 2
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("files", "told"),
    [({"other": b""}, "the wheel has recbole/"), ({"ml-100k.inter": b""}, "the wheel has recbole")],
)
def test_a_wheel_without_the_files_is_refused(
    tmp_path: Path, files: dict[str, bytes], told: str
) -> None:
    options, _ = _options(tmp_path)
    with pytest.raises(DatasetError, match=told):
        locate_movielens(options, _no_fetch, _wheel(files))


def test_the_users_own_copy_comes_first_and_alone(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    options, _ = _options(tmp_path, mine)
    with pytest.raises(DatasetError, match=r"has u\.data and u\.item"):
        locate_movielens(options, _no_fetch, _wheel(ATOMIC))
    for name, data in FILES.items():
        (mine / name).write_bytes(data)
    assert locate_movielens(options, _no_fetch, _no_wheel) == mine


@pytest.mark.parametrize("content", [b"not a zip", b"", b"PK\x03\x04 cut"])
def test_a_path_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ml.zip"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="a zip file can be unpacked"):
        read_files(path)


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="a MovieLens path is a folder or a zip file"):
        read_files(tmp_path / "gone")


def test_a_cache_folder_that_cannot_be_made_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file stands in the way")
    options, _ = _options(tmp_path)
    with pytest.raises(DatasetError, match="the cache folder can be written"):
        locate_movielens(options, _no_fetch, _wheel(ATOMIC))


@contextmanager
def _server(status: int, body: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/ml-100k.zip"
        thread.join()


def test_fetch_gives_the_content() -> None:
    with _server(200, b"data") as url:
        assert fetch_url(url) == b"data"


def test_fetch_says_why_not() -> None:
    with _server(404, b"gone") as url, pytest.raises(DatasetError, match="404"):
        fetch_url(url)


def test_fetch_without_a_server_is_an_error_of_ours() -> None:
    with pytest.raises(DatasetError, match="refused"):
        fetch_url("http://127.0.0.1:9/ml-100k.zip")


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({}, "/home/ann/.cache/penstock"),
        ({"XDG_CACHE_HOME": "/var/tmp/x"}, "/var/tmp/x/penstock"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/ann/.cache/penstock"),
        ({"XDG_CACHE_HOME": ""}, "/home/ann/.cache/penstock"),
    ],
)
def test_the_cache_lies_where_the_desktop_standard_says(
    environment: dict[str, str], folder: str
) -> None:
    assert default_cache_dir(environment, Path("/home/ann")) == Path(folder)


def test_the_real_data_has_its_known_counts() -> None:
    cache = default_cache_dir(os.environ, Path.home()) / "tests"  # kept from run to run
    try:
        path = locate_movielens(DatasetOptions(cache, lambda line: None), _no_fetch)
    except DatasetError as error:
        pytest.skip(f"needs a package index that has recbole 1.2.1: {error}")
    dataset = movielens_from(path)
    events = list(dataset.events)
    exposures = [event for event in events if event.action == "exposure"]
    clicks = [event for event in events if event.action == "click"]
    views = [event for event in events if event.action == "view"]
    assert (len(exposures), len(clicks), len(views)) == (100_000, 55_375, 44_625)
    assert (dataset.events_total, dataset.clicks_total) == (200_000, 55_375)
    assert len(dataset.items) == 1_682
    assert len({event.user_id for event in events}) == 943
    assert len({event.request_id for event in exposures}) == 100_000
    assert all(a.ts_ms <= b.ts_ms for a, b in pairwise(events))
    years = {item.features["year"] for item in dataset.items if "year" in item.features}
    assert all(isinstance(year, int) and 1922 <= year <= 1998 for year in years)
    assert sum("year" not in item.features for item in dataset.items) == 1
    assert len({genre for item in dataset.items for genre in _genres(item.features)}) == 18


def _genres(features: dict[str, FeatureValue]) -> list[str]:
    genres = features.get("genres", [])
    assert isinstance(genres, list)
    return genres
