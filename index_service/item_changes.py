"""A record of `item-vectors` as a change to the index."""

from __future__ import annotations

from typing import NamedTuple

from schemas.codec import Decoder, Headers, content_type
from schemas.errors import DecodeError
from schemas.vectors import ItemVector

_decoder: Decoder[ItemVector] = Decoder(ItemVector)


class ItemChange(NamedTuple):
    """An item's new state, or its end."""

    item_id: str
    vector: ItemVector | None
    """None takes the item out."""


def decode_change(key: bytes | None, value: bytes | None, headers: Headers | None) -> ItemChange:
    """The change that a record states. Raises DecodeError when it states none.

    The key must be the item id, as a later null value under that key must end this very item.
    """
    try:
        item_id = (key or b"").decode()
    except UnicodeDecodeError as error:
        msg = f"the key of an item vector must be UTF-8; got {key!r}; use the item id"
        raise DecodeError(msg) from error
    if not item_id:
        msg = "the key of an item vector must be the item id; got none; use the item id"
        raise DecodeError(msg)
    if value is None:
        return ItemChange(item_id, None)
    vector = _decoder.decode(value, content_type(headers))
    if vector.item_id != item_id:
        msg = f"the key must be the item id {vector.item_id!r}; got {item_id!r}; use the item id"
        raise DecodeError(msg)
    return ItemChange(item_id, vector)
