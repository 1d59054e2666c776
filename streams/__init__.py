"""Turns events into labelled samples; `EventProducer` publishes events and items."""

from streams.producer import EventProducer

__all__ = ["EventProducer"]
