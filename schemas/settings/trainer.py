"""`[trainer]`: its process."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from schemas.settings.section import Section


class TrainerSettings(Section):
    """The trainer's process."""

    checkpoint_dir: Path = Path(".penstock/checkpoints")
    """Where checkpoints are written."""
    checkpoint_every_s: float = Field(default=30.0, gt=0)
    """Seconds between checkpoints."""
    checkpoints_kept: int = Field(default=2, ge=1)
    """Newest checkpoints that stay on disk."""
    batch: int = Field(default=128, ge=1)
    """Positives learned in one step, at most."""
    learn_every_ms: int = Field(default=250, ge=0)
    """A step that fills no batch waits so long after the one before: a step of two positives costs
    half of what one of thirty does, and a click waits for it."""
    ranked_per_poll: int = Field(default=2, ge=1)
    """Positives of one poll that are ranked before they are learned, at most: live recall and the
    score's weights, which look back on 2,000 of them, come from these. At a low rate it is each."""
    paired_per_poll: int = Field(default=16, ge=1)
    """Of the items that users came to within one poll, so many are counted to occur with what came
    before, at most; of more, a sample stands for all."""
    waiting_positives: int = Field(default=100_000, ge=0)
    """Positives that may wait to be learned; beyond that the oldest go unlearned, counted."""
    publish_every_ms: int = Field(default=3_000, ge=0)
    """Milliseconds between looks at which items moved far enough to be published again: where many
    act, most items move all the time. What is new of an item is published at once."""
    publish_eps: float = Field(default=0.01, gt=0)
    """Cosine distance from the published vector at which a touched item is published again."""
    scan_eps: float = Field(default=0.02, gt=0)
    """The same for the scan of all items, so also the bound on how stale a served vector is."""
    scan_every_steps: int = Field(default=50, ge=1)
    """Steps between scans."""
    scan_users: int = Field(default=32, ge=0)
    """Users who are looked at after a step, all in turn: whose vector has moved by more than
    `scan_eps` since their record was made get a new one, as who comes back after a while should be
    recalled by what the model says now. 0: only who acts gets one."""
    users: int = Field(default=1_000_000, ge=1)
    """Users who are remembered. For one more, whoever acted or was shown anything longest ago is
    forgotten, with the record in Redis, and counted."""
    bias_step: float = Field(default=0.1, gt=0)
    """An item is published again when its counts move its score by this much."""
    seen_items: int = Field(default=500, ge=0)
    """Newest seen items kept in a user's record."""
    sample_window: int = Field(default=200_000, ge=1)
    """Newest sample ids remembered, to learn each once."""
