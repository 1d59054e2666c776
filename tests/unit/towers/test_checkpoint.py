from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from schemas.errors import CheckpointError
from schemas.settings import FeatureSettings, Settings, TowerSettings, TrainerSettings
from towers.checkpoint import CheckpointStore


def store(folder: Path, kept: int = 2, dim: int = 8, epoch: int = 1) -> CheckpointStore:
    return CheckpointStore(
        Settings(
            towers=TowerSettings(dim=dim, epoch=epoch),
            trainer=TrainerSettings(checkpoint_dir=folder, checkpoints_kept=kept),
        )
    )


def step_of(found: CheckpointStore) -> int:
    state = found.load()
    assert state is not None
    return int(state["step"])


def test_the_newest_comes_back_and_old_ones_go(tmp_path: Path) -> None:
    saved = store(tmp_path)
    assert saved.load() is None
    for step in range(5):
        saved.save({"step": step, "nested": {"weights": torch.full((2,), float(step))}})
    state = store(tmp_path).load()
    assert state is not None and state["step"] == 4
    assert state["nested"]["weights"].tolist() == [4.0, 4.0]
    assert len(list(saved.folder.iterdir())) == 2


def test_a_crash_while_writing_leaves_the_one_before(tmp_path: Path) -> None:
    saved = store(tmp_path)
    path = saved.save({"step": 1})
    leftover = saved.folder / "checkpoint-00000002.tmp"
    leftover.write_bytes(path.read_bytes()[:100])
    assert step_of(store(tmp_path)) == 1
    saved.save({"step": 2})
    assert step_of(store(tmp_path)) == 2
    assert not list(saved.folder.glob("*.tmp"))


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied"])
def test_a_damaged_one_gives_way_to_the_one_before(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    saved = store(tmp_path)
    saved.save({"step": 1})
    newest = saved.save({"step": 2})
    data = bytearray(newest.read_bytes())
    if damage == "flipped":
        data[len(data) // 2] ^= 1
    newest.write_bytes(data[: {"cut": len(data) - 9, "emptied": 0}.get(damage, len(data))])
    with caplog.at_level(logging.ERROR):
        assert step_of(store(tmp_path)) == 1
    assert str(newest) in caplog.text
    saved.save({"step": 3})
    assert step_of(store(tmp_path)) == 3


def test_all_damaged_is_an_error_not_a_new_beginning(tmp_path: Path) -> None:
    store(tmp_path).save({"step": 1}).write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"all 1 in .* are damaged"):
        store(tmp_path).load()


def test_another_size_is_refused_with_both_values(tmp_path: Path) -> None:
    store(tmp_path, dim=8).save({"step": 1})
    with pytest.raises(CheckpointError, match=r"towers.dim = 8, .* 16; .* new towers.epoch"):
        store(tmp_path, dim=16).load()


def test_a_state_of_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr("towers.checkpoint._STATE", 1)
        store(tmp_path).save({"step": 1})
    with pytest.raises(CheckpointError, match=r"holds state 1, .* reads 2; .* new towers.epoch"):
        store(tmp_path).load()


def test_another_tower_is_refused(tmp_path: Path) -> None:
    store(tmp_path).save({"step": 1})
    settings = Settings(
        towers=TowerSettings(dim=8, user_tower="dcn"),
        trainer=TrainerSettings(checkpoint_dir=tmp_path),
    )
    with pytest.raises(CheckpointError, match=r"towers.user_tower = mlp, .* dcn;"):
        CheckpointStore(settings).load()


def test_other_features_are_refused(tmp_path: Path) -> None:
    store(tmp_path).save({"step": 1})
    settings = Settings(
        towers=TowerSettings(dim=8),
        features=FeatureSettings(items={"title": "text"}),
        trainer=TrainerSettings(checkpoint_dir=tmp_path),
    )
    with pytest.raises(CheckpointError, match="features"):
        CheckpointStore(settings).load()


def test_a_new_epoch_begins_beside_the_old_one(tmp_path: Path) -> None:
    store(tmp_path).save({"step": 1})
    other = store(tmp_path, dim=16, epoch=2)
    assert other.load() is None
    other.save({"step": 7})
    assert step_of(other) == 7
    assert step_of(store(tmp_path)) == 1


def test_one_moved_to_another_epochs_folder_is_refused(tmp_path: Path) -> None:
    path = store(tmp_path).save({"step": 1})
    other = store(tmp_path, epoch=2)
    other.folder.mkdir()
    path.rename(other.folder / path.name)
    with pytest.raises(CheckpointError, match=r"towers.epoch = 1, .* 2;"):
        other.load()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="must be written"):
        store(tmp_path / "file").save({"step": 1})
