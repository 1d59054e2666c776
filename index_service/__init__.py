"""Serves recall from live item vectors."""

from index_service.client import RecallClient

__all__ = ["RecallClient"]
