"""`[index]`: the node and recall."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from schemas.settings.section import Section

BackendName = Literal["exact", "hnsw", "faiss-ivf", "faiss-lsh", "milvus"]


class IndexSettings(Section):
    """The index node and recall."""

    backend: BackendName = "faiss-ivf"
    """What proposes the nearest items of a large shard; `docs/index.md` says which one when."""
    milvus_url: str = ".penstock/milvus.db"
    """Of the backend `milvus`: a server's URL, or a file for Milvus Lite."""
    milvus_token: SecretStr | None = None
    """Of the backend `milvus`: the server's token, or user:password."""
    exact_below: int = Field(default=32_000, ge=0)
    """A node with fewer items, in all of its shards, compares them all."""
    target_recall: float = Field(default=0.995, gt=0, lt=1)
    """Share of the true nearest 100 that a backend is to find: how widely it searches follows
    from samples of its queries."""
    max_unwritten: int = Field(default=2_048, ge=1)
    """Changes that may wait for the backend before reading of the topic is held back; until then
    they are compared one by one."""
    trending_pool: int = Field(default=1_000, ge=2)
    """Of more items, or of more that a filter leaves, so many that trend most are kept at hand."""
    ef_search: int = Field(default=100, ge=1)
    """hnswlib's breadth of search, to begin with."""
    ef_construction: int = Field(default=100, ge=1)
    """hnswlib's breadth while building."""
    m: int = Field(default=16, ge=2)
    """hnswlib's links per item."""
    rebuild_dead_share: float = Field(default=0.5, gt=0, lt=1)
    """Share of dead entries at which the graph is built anew in the background."""
    replica: str = Field(default="a", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """Nodes of one replica share the shards; those of another hold them all once more."""
    hedge_ms: int = Field(default=50, ge=1)
    """A node that does not answer another for so long gets help from the next with its shards."""
    snapshot_dir: Path | None = None
    """Where shards are kept for the next start; `index` in `embedded.data_dir` when not given."""
    snapshot_every_s: float = Field(default=30.0, gt=0)
    """Seconds between two files of a shard that changes."""
    max_in_flight: int = Field(default=256, ge=1)
    """Requests that a node has in hand at a time; more are told `overloaded` at once."""
    max_k: int = Field(default=1_000, ge=1)
    """Most items that one request may ask for."""
    deadline_ms: int = Field(default=1_000, ge=1)
    """How long a request without a deadline may take."""
    trending_share: float = Field(default=1.0, ge=0, le=1)
    """Trending items proposed to the blended ranking, as a share of k (at least one if above 0)."""
