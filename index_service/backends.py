"""The backends by name."""

from __future__ import annotations

from index_service.backend import Backend, Metric
from index_service.exact import ExactBackend
from index_service.faiss_ivf import FaissIvfBackend
from index_service.faiss_lsh import FaissLshBackend
from index_service.hnsw import HnswBackend
from index_service.milvus import MilvusBackend
from schemas.settings import BackendName, IndexSettings


def make_backend(
    settings: IndexSettings, dim: int, metric: Metric = "cosine", name: BackendName | None = None
) -> Backend:
    """An empty backend of that name, else of the settings'.

    Raises EnvironmentProblem, naming the extra or the server, where what it needs is missing.
    """
    match name or settings.backend:
        case "exact":
            return ExactBackend(dim, metric)
        case "hnsw":
            return HnswBackend(dim, settings, metric)
        case "faiss-ivf":
            return FaissIvfBackend(dim, metric)
        case "faiss-lsh":
            return FaissLshBackend(dim, metric)
        case "milvus":
            return MilvusBackend(dim, settings, metric)
