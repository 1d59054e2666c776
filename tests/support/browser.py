"""A headless Chromium, driven over its own debugging protocol."""

from __future__ import annotations

import asyncio
import base64
import shutil
import threading
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp

from ops.children import Child, stop_children
from tests.support.polling import eventually

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
_ANSWER_S = 60

T = TypeVar("T")


class Browser:
    """One page of a browser of its own, with what it has complained of."""

    def __init__(self, folder: Path) -> None:
        assert CHROMIUM is not None
        profile = folder / "profile"
        profile.mkdir(parents=True)
        command = [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self._child = Child("chromium", command, folder / "chromium.log")
        self.complaints: list[str] = []
        """Errors of the console, uncaught exceptions, and requests that failed or were refused."""
        self.requests: list[str] = []
        """Every URL that was asked for."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._last_id = 0
        self._http: aiohttp.ClientSession | None = None
        try:
            port_file = profile / "DevToolsActivePort"
            eventually(port_file.exists, bool, "Chromium listens")
            port = eventually(port_file.read_text, bool, "Chromium's port").splitlines()[0]
            self._await(self._connect(f"http://127.0.0.1:{port}"))
        except BaseException:
            self.close()
            raise

    def open(self, url: str) -> None:
        """Go there and wait until it is loaded."""
        self._call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'", "the page is loaded")

    def size(self, width: int, height: int, *, dark: bool = False, scale: float = 1) -> None:
        """The window's size and the system's colour scheme."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )
        self._call("Emulation.setScrollbarsHidden", hidden=True)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self._call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str, what: str, timeout_s: float = 60) -> Any:
        """The expression's first truthy value."""
        return eventually(lambda: self.value(expression), bool, what, timeout_s)

    def text(self, selector: str) -> str:
        """The visible text of an element."""
        return str(self.value(f"document.querySelector({selector!r}).innerText"))

    def press(self, key: str) -> None:
        """One key, by its name."""
        for kind in ("rawKeyDown", "keyUp"):
            code = {"Tab": 9, "Enter": 13, "ArrowRight": 39}[key]
            self._call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code)
        if key == "Enter":
            self._call("Input.dispatchKeyEvent", type="char", text="\r")

    def screenshot(self, path: Path, whole: bool = True) -> None:
        """A PNG of the page, also of what is below the fold."""
        options: dict[str, Any] = {"captureBeyondViewport": True} if whole else {}
        if whole:
            size = self._call("Page.getLayoutMetrics")["cssContentSize"]
            options["clip"] = {**size, "scale": 1}
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", **options)["data"]))

    def close(self) -> None:
        """End the browser."""
        stop_children([self._child], grace_s=5)
        if self._http is not None:
            self._await(self._http.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    def _call(self, method: str, **params: Any) -> Any:
        return self._await(self._ask(method, params))

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_ANSWER_S)

    async def _connect(self, address: str) -> None:
        self._http = aiohttp.ClientSession()
        async with self._http.get(f"{address}/json/list") as answer:
            pages = [one for one in await answer.json() if one["type"] == "page"]
        url = pages[0]["webSocketDebuggerUrl"]
        self._socket = await self._http.ws_connect(url, max_msg_size=0)
        self._listening = asyncio.create_task(self._listen())
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self._ask(f"{domain}.enable", {})

    async def _ask(self, method: str, params: dict[str, Any]) -> Any:
        self._last_id += 1
        number = self._last_id
        answer = self._waiting[number] = self._loop.create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        return await asyncio.wait_for(answer, _ANSWER_S)

    async def _listen(self) -> None:
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                future = self._waiting.pop(said["id"])
                if "error" in said:
                    future.set_exception(RuntimeError(str(said["error"])))
                else:
                    future.set_result(said["result"])
            else:
                self._note(said["method"], said["params"])

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.complaints.append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(str(params["entry"]))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
