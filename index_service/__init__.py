"""Serves recall from live item vectors."""

from index_service.async_client import AsyncRecallClient
from index_service.client import RecallClient

__all__ = ["AsyncRecallClient", "RecallClient"]
