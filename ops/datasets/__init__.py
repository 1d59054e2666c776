"""Data sets as streams of events and items."""
