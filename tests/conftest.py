"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# Milvus Lite is spoken to by gRPC. Its handlers of fork wait for threads, and now and then left a
# child process of a later test hanging before it had begun.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

# An example takes as long as a busy machine makes it take: no test is about that.
settings.register_profile("penstock", deadline=None)
settings.load_profile("penstock")
