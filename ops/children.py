"""Child processes that never outlive their parent."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from schemas.errors import ChildDied

_PR_SET_PDEATHSIG = 1
_LAST_LINES = 5


class Child:
    """One child process in a session of its own, its output in a log file.

    A session of its own keeps a terminal's Ctrl-C from it: the parent ends its children in order.
    On Linux the kernel ends it when the parent is killed.
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._env = dict(env) if env is not None else None
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._env,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise ChildDied, with its last words, when it is no longer running."""
        code = self._process.poll()
        if code is not None:
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            words = " | ".join(self.last_lines()) or "nothing"
            msg = f"{self.name} ended by itself with {how}; its last words: {words}; see {self.log}"
            raise ChildDied(msg)

    def last_lines(self) -> list[str]:
        """The last lines of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return [line for line in text.splitlines() if line.strip()][-_LAST_LINES:]

    def ask_to_stop(self) -> None:
        """Send SIGTERM, once."""
        if self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL and reap it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def wait(self, deadline: float) -> None:
        """Wait for its end until `deadline` (monotonic), then kill it."""
        try:
            self._process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.kill()


def stop_children(children: Sequence[Child], grace_s: float) -> None:
    """Ask all to stop, give them `grace_s` together, then kill what is left."""
    for child in children:
        child.ask_to_stop()
    deadline = time.monotonic() + grace_s
    for child in children:
        child.wait(deadline)


def die_with_parent() -> Callable[[], None] | None:
    """What a child runs before its program, so that SIGTERM ends it with its parent.

    Its parent is the thread that starts it. None where the kernel can't do this.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def ask_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask_kernel
