from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from schemas.errors import DatasetError
from towers.graph.vector_file import VectorFile, read_vectors, write_vectors

CONTENT = VectorFile(
    "item2vec",
    ["a", "ö", "日本", "i-4"],
    np.arange(12, dtype=np.float32).reshape(4, 3),
    np.array([3, 1, 0, 2], np.float32),
)


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    write_vectors(path, CONTENT)
    found = read_vectors(path)
    assert (found.method, found.item_ids) == ("item2vec", CONTENT.item_ids)
    assert (found.vectors == CONTENT.vectors).all() and (found.counts == CONTENT.counts).all()
    assert [one.name for one in tmp_path.iterdir()] == ["vectors"]


def test_no_array_of_it_needs_pickle(tmp_path: Path) -> None:
    write_vectors(tmp_path / "v.npz", CONTENT)
    with np.load(tmp_path / "v.npz", allow_pickle=False) as arrays:
        kinds = {name: arrays[name].dtype.kind for name in arrays.files}
    assert kinds == {"ids": "u", "ends": "i", "vectors": "f", "counts": "f", "header": "u"}


def changed(path: Path, **arrays: np.ndarray) -> None:
    """The file with some arrays replaced, as a valid npz."""
    with np.load(path, allow_pickle=False) as old:
        kept = {name: old[name] for name in old.files}
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **(kept | arrays))


@pytest.mark.parametrize(
    "arrays",
    [
        {"vectors": np.ones((4, 3), np.float32)},
        {"counts": np.ones(4, np.float32)},
        {"ids": np.frombuffer("aö日本i-5".encode(), np.uint8)},
        {"ends": np.array([1, 3, 9, 11])},
    ],
)
def test_a_changed_array_is_found(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    path = tmp_path / "v.npz"
    write_vectors(path, CONTENT)
    changed(path, **arrays)
    with pytest.raises(DatasetError, match="its checksum differs"):
        read_vectors(path)


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.npz"
    write_vectors(path, CONTENT)
    whole = path.read_bytes()
    pickled = io.BytesIO()
    np.savez(pickled, header=np.array([{"a": 1}], object))
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("readme.txt", "no vectors")
    for data in (b"", b"PK", whole[: len(whole) // 2], pickled.getvalue(), other.getvalue()):
        path.write_bytes(data)
        with pytest.raises(DatasetError, match=r"vectors are a file of `penstock pretrain`"):
            read_vectors(path)
    with pytest.raises(DatasetError, match="No such file"):
        read_vectors(tmp_path / "none")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (CONTENT._replace(item_ids=["a", "b", "b", "c"]), "3 distinct ids, 4 said"),
        (CONTENT._replace(vectors=np.full((4, 3), np.nan, np.float32)), "a vector is not finite"),
    ],
)
def test_what_no_pretraining_writes_is_refused(
    tmp_path: Path, content: VectorFile, said: str
) -> None:
    write_vectors(tmp_path / "v", content)
    with pytest.raises(DatasetError, match=said):
        read_vectors(tmp_path / "v")


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="vectors are written to a folder that is there"):
        write_vectors(tmp_path / "none" / "v", CONTENT)
