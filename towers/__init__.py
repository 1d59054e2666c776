"""Learns the two towers from labelled samples and publishes their vectors."""
