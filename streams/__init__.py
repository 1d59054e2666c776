"""Turns events into labelled samples."""
