"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# An example takes as long as a busy machine makes it take: no test is about that.
settings.register_profile("penstock", deadline=None)
settings.load_profile("penstock")
