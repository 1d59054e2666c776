"""Prequential evaluation: what recall finds of the clicks to come, by the code that serves."""
