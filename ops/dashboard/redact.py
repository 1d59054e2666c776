"""What refused records hold, made fit to be shown; pure."""

from __future__ import annotations

import re
from typing import Any

import msgspec

MAX_CHARS = 600
_MAX_DEPTH = 6
_MAX_ENTRIES = 40
_HIDDEN = "(hidden)"

_SECRET_WORD = re.compile(
    r"passw|passphrase|secret|token|api[-_]?key|authori[sz]ation|cookie|credential|private",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"""((?:pass(?:word|wd|phrase)?|secret|token|api[-_]?key|authori[sz]ation|cookie|credential)s?
        ["']?\s*[:=]\s*["']?)(?:(?:bearer|basic)\s+)?[^\s"',;&}]+""",
    re.IGNORECASE | re.VERBOSE,
)
_URL_LOGIN = re.compile(r"(\w+://)[^\s/@]+@")


def shown_text(text: str) -> str:
    """The text without what looks like a secret and without control characters, cut."""
    text = _URL_LOGIN.sub(rf"\1{_HIDDEN}@", _SECRET_TEXT.sub(rf"\1{_HIDDEN}", text))
    text = "".join(char if char.isprintable() else "\N{MIDDLE DOT}" for char in text)
    return text if len(text) <= MAX_CHARS else text[:MAX_CHARS] + "\N{HORIZONTAL ELLIPSIS}"


def shown_value(data: bytes) -> str:
    """A record's value: MessagePack or JSON as JSON without secrets, else as far as it is text.

    Of what can't be decoded, all that follows the name of a secret is left out.
    """
    for decode in (msgspec.json.decode, msgspec.msgpack.decode):
        try:
            message = decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
            continue
        if isinstance(message, dict | list):
            plain = msgspec.json.encode(_cleaned(message), enc_hook=repr)
            return shown_text(plain.decode(errors="replace"))
    text = data.decode(errors="replace")
    named = _SECRET_WORD.search(text)
    return shown_text(text if named is None else f"{text[: named.end()]} {_HIDDEN}")


def _cleaned(value: Any, depth: int = 0) -> Any:
    if depth > _MAX_DEPTH:
        return "..."
    if isinstance(value, dict):
        return {
            str(name): _HIDDEN if _SECRET_WORD.search(str(name)) else _cleaned(entry, depth + 1)
            for name, entry in list(value.items())[:_MAX_ENTRIES]
        }
    if isinstance(value, list):
        return [_cleaned(entry, depth + 1) for entry in value[:_MAX_ENTRIES]]
    if isinstance(value, bytes):
        return value[:32].hex()
    return value
