"""Checkpoints on disk: whole or not there, and the newest good one is found again."""

from __future__ import annotations

import io
import logging
import os
from pathlib import Path
from typing import Any

import torch
import xxhash

from schemas.errors import CheckpointError
from schemas.settings import Settings
from towers.arrays import State, packed, unpacked

log = logging.getLogger(__name__)

_MAGIC = b"penstock-checkpoint-1\n"
_STATE = 2  # counts up when what a state holds changes
_DIGEST_BYTES = 16
_PREFIX, _SUFFIX = "checkpoint-", ".pt"
_UNFINISHED = ".tmp"


class CheckpointStore:
    """Numbered checkpoints of one epoch in `checkpoint_dir/epoch-<n>`.

    A file is written beside its place, synced, and renamed, so a crash leaves the one before. A
    digest in front of it tells damage, and torch reads it without unpickling code.
    """

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.trainer.checkpoint_dir / f"epoch-{settings.towers.epoch}"
        self._kept = settings.trainer.checkpoints_kept
        self._layout = {
            "towers.epoch": settings.towers.epoch,
            "towers.dim": settings.towers.dim,
            "towers.hidden": settings.towers.hidden,
            "towers.user_tower": settings.towers.user_tower,
            "towers.item_tower": settings.towers.item_tower,
            "features": settings.features.model_dump(),
        }

    def save(self, state: State) -> Path:
        """Write a checkpoint, then remove the oldest beyond those kept. Raises CheckpointError."""
        buffer = io.BytesIO()
        torch.save({"layout": packed({"state": _STATE, **self._layout}), "state": state}, buffer)
        payload = buffer.getvalue()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            numbered = self._numbered()
            path = self._path(numbered[-1] + 1 if numbered else 1)
            self._write(path, payload)
            for number in numbered[: len(numbered) + 1 - self._kept]:
                self._path(number).unlink()
        except OSError as error:
            msg = (
                f"a checkpoint must be written: {error}; make room in {self.folder}, or let this "
                "user write there"
            )
            raise CheckpointError(msg) from error
        return path

    def load(self) -> State | None:
        """The newest checkpoint that is whole; None when there is none at all.

        Raises CheckpointError when all are damaged, or when the model was another one.
        """
        numbered = self._numbered()
        for number in reversed(numbered):
            path = self._path(number)
            content = self._read(path)
            if content is not None:
                self._check_layout(path, unpacked(content["layout"]))
                state: State = content["state"]
                return state
        if numbered:
            msg = (
                f"a checkpoint must be whole: all {len(numbered)} in {self.folder} are damaged; "
                "bring one back from a copy, or move them away to learn anew from the topics"
            )
            raise CheckpointError(msg)
        return None

    def _write(self, path: Path, payload: bytes) -> None:
        for leftover in self.folder.glob(f"*{_UNFINISHED}"):
            leftover.unlink()
        unfinished = path.with_suffix(_UNFINISHED)
        with unfinished.open("wb") as file:
            file.write(_MAGIC + xxhash.xxh3_128_digest(payload))
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)  # the rename itself
        finally:
            os.close(folder)

    def _read(self, path: Path) -> Any:
        data = path.read_bytes()
        start = len(_MAGIC) + _DIGEST_BYTES
        payload = data[start:]
        whole = _MAGIC + xxhash.xxh3_128_digest(payload)
        if data[:start] != whole:
            log.error(
                "checkpoint=damaged path=%s bytes=%d action=trying_the_one_before", path, len(data)
            )
            return None
        return torch.load(io.BytesIO(payload), weights_only=True)

    def _check_layout(self, path: Path, saved: dict[str, Any]) -> None:
        if saved.get("state", 1) != _STATE:
            msg = (
                f"a checkpoint must be of this version of Penstock: {path} holds state "
                f"{saved.get('state', 1)}, and this one reads {_STATE}; start the version that "
                "wrote it, or give the model a new towers.epoch to learn anew"
            )
            raise CheckpointError(msg)
        for name, wanted in self._layout.items():
            if saved.get(name) != wanted:
                msg = (
                    f"a checkpoint must be of the same model: {path} was written with "
                    f"{name} = {saved.get(name)}, and the settings say {wanted}; put the setting "
                    "back, or give the new model a new towers.epoch"
                )
                raise CheckpointError(msg)

    def _numbered(self) -> list[int]:
        names = (path.name for path in self.folder.glob(f"{_PREFIX}*{_SUFFIX}"))
        digits = (name.removeprefix(_PREFIX).removesuffix(_SUFFIX) for name in names)
        return sorted(int(number) for number in digits if number.isdecimal())

    def _path(self, number: int) -> Path:
        return self.folder / f"{_PREFIX}{number:08d}{_SUFFIX}"
