"""Serves recall from live item vectors."""
