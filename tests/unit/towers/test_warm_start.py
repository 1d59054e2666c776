from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from schemas.errors import DatasetError, SettingsError
from schemas.events import Item
from schemas.settings import Settings, TowerSettings
from towers.arrays import Floats
from towers.graph.vector_file import VectorFile, write_vectors
from towers.learner import Learner
from towers.table import NEW_NORM, EmbeddingTable
from towers.warm_start import COLD, WarmStart, read_warm_start

VECTORS: Floats = np.array([[2, 0], [0, 4], [-2, -4]], np.float32)
CONTENT = VectorFile("item2vec", ["a", "b", "c"], VECTORS, np.ones(3, np.float32))
SETTINGS = Settings(towers=TowerSettings(dim=2, hidden=4))


def test_items_of_the_file_begin_where_it_says_and_others_cold() -> None:
    warm, cold = Learner(SETTINGS, WarmStart(CONTENT)), Learner(SETTINGS)
    items = [Item(name, 0) for name in ("a", "other", "b")]
    for learner in (warm, cold):
        learner.put_items(items)
    assert warm.vectors[[0, 2]].tolist() == [[1, 0], [0, 1]]
    assert (warm.vectors[1] == cold.vectors[1]).all()
    assert not np.allclose(warm.vectors[0], cold.vectors[0])
    assert warm.warm.matched == 2


def test_a_start_is_as_long_as_any_new_row() -> None:
    for name, vector in zip("abc", VECTORS, strict=True):
        found = WarmStart(CONTENT).start(name)
        assert found is not None
        assert found.numpy() == pytest.approx(NEW_NORM * vector / np.linalg.norm(vector))
    assert WarmStart(CONTENT).start("other") is None


def test_a_start_is_a_row_of_its_own_before_admission() -> None:
    settings = TowerSettings(dim=2, admit_after=5)
    table = EmbeddingTable(settings, seed=0)
    known, unknown = table.add("a", True, start=torch.tensor([1.0, 2.0])), table.add("b", True)
    assert table.own_rows == 1
    rows = table.rows(np.array([known, unknown]))
    assert table.weight[rows].tolist() == [[1, 2], [0, 0]]
    assert table.add("a", True, start=torch.tensor([9.0, 9.0])) == known
    assert table.weight[rows[0]].tolist() == [1, 2]


def test_what_was_matched_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    learner = Learner(SETTINGS, WarmStart(CONTENT))
    learner.put_items([Item("a", 0), Item("other", 0)])
    learner.warm.say(2)
    assert caplog.messages == ["warm_start=used method=item2vec vectors=3 matched=1 cold=1"]
    COLD.say(2)
    assert len(caplog.messages) == 1


def test_a_file_of_another_dimension_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.npz"
    write_vectors(path, CONTENT)
    assert len(read_warm_start(TowerSettings(dim=2, warm_start=path))) == 3
    assert read_warm_start(TowerSettings(dim=2)) is COLD
    with pytest.raises(SettingsError, match=r"towers.dim, 3; those of .* have 2; pretrain with"):
        read_warm_start(TowerSettings(dim=3, warm_start=path))
    with pytest.raises(DatasetError, match="No such file"):
        read_warm_start(TowerSettings(warm_start=tmp_path / "none"))
