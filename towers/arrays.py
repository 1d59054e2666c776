"""Arrays that grow, ragged arrays, and how both travel in a checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

State = dict[str, Any]
"""Tensors and numbers by name: what `torch.load(weights_only=True)` reads back."""

_A = TypeVar("_A", bound=npt.NDArray[Any])

_FIRST_CAPACITY = 1_024


def grown(array: _A, length: int) -> _A:
    """The array itself, or a copy of at least `length` with doubled capacity, zero beyond it."""
    if length <= len(array):
        return array
    capacity = max(length, 2 * len(array), _FIRST_CAPACITY)
    larger = np.zeros((capacity, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger  # type: ignore[return-value]  # same dtype and rank as the array


class Bags(NamedTuple):
    """Several short lists of (key, weight), laid end to end."""

    keys: Ints
    weights: Doubles
    lengths: Ints


def first_bags(bags: Bags, count: int) -> Bags:
    """The first so many lists."""
    lengths = bags.lengths[:count]
    end = int(lengths.sum())
    return Bags(bags.keys[:end], bags.weights[:end], lengths)


def join_bags(parts: Sequence[tuple[Ints, Doubles]]) -> Bags:
    """Lists laid end to end."""
    lengths = np.fromiter((len(keys) for keys, _ in parts), np.int64, len(parts))
    if not lengths.sum():
        return Bags(np.zeros(0, np.int64), np.zeros(0), lengths)
    keys = np.concatenate([keys for keys, _ in parts])
    return Bags(keys, np.concatenate([weights for _, weights in parts]), lengths)


def split_bags(bags: Bags) -> list[tuple[Ints, Doubles]]:
    """What `join_bags` laid end to end."""
    ends = np.cumsum(bags.lengths)[:-1]
    return list(zip(np.split(bags.keys, ends), np.split(bags.weights, ends), strict=True))[
        : len(bags.lengths)
    ]


class RaggedStore:
    """One short list of (key, weight) per index, gathered for many indices without a loop."""

    def __init__(self) -> None:
        self._keys: Ints = np.zeros(0, np.int64)
        self._weights: Doubles = np.zeros(0)
        self._starts: Ints = np.zeros(0, np.int64)
        self._lengths: Ints = np.zeros(0, np.int64)
        self._used = 0
        self._size = 0

    def put(self, index: int, keys: Ints, weights: Doubles) -> None:
        """Replace the list at `index`; indices up to it come to be, empty."""
        self._size = max(self._size, index + 1)
        self._starts = grown(self._starts, self._size)
        self._lengths = grown(self._lengths, self._size)
        if len(keys) > self._lengths[index]:  # a shorter list fits where the old one lies
            if self._used > 2 * int(self._lengths.sum()) + _FIRST_CAPACITY:
                self._compact()
            self._starts[index] = self._used
            self._used += len(keys)
            self._keys = grown(self._keys, self._used)
            self._weights = grown(self._weights, self._used)
        start = self._starts[index]
        self._lengths[index] = len(keys)
        self._keys[start : start + len(keys)] = keys
        self._weights[start : start + len(keys)] = weights

    def gather(self, indices: Ints) -> Bags:
        """The lists of the indices, end to end."""
        lengths = self._lengths[indices]
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if len(ends) else 0
        within = np.arange(total) - np.repeat(ends - lengths, lengths)
        places = np.repeat(self._starts[indices], lengths) + within
        return Bags(self._keys[places], self._weights[places], lengths)

    def _compact(self) -> None:
        bags = self.gather(np.arange(self._size))
        self._load(bags)

    def _load(self, bags: Bags) -> None:
        self._keys, self._weights = bags.keys, bags.weights
        self._starts, self._lengths = np.cumsum(bags.lengths) - bags.lengths, bags.lengths
        self._size, self._used = len(bags.lengths), len(bags.keys)

    def state(self) -> State:
        """For a checkpoint."""
        return bags_state(self.gather(np.arange(self._size)))

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self._load(load_bags(state))


def bags_state(bags: Bags) -> State:
    """For a checkpoint."""
    return {name: tensor_of(array) for name, array in bags._asdict().items()}


def load_bags(state: State) -> Bags:
    """What `bags_state` said."""
    return Bags(*(array_of(state[name]) for name in Bags._fields))


def tensor_of(array: npt.NDArray[Any]) -> Tensor:
    """A copy of the array as a tensor."""
    return torch.from_numpy(array.copy())


def array_of(tensor: Tensor) -> npt.NDArray[Any]:
    """A copy of the tensor as an array."""
    array: npt.NDArray[Any] = tensor.numpy().copy()
    return array


def packed(value: object) -> Tensor:
    """Texts, numbers, lists and dicts of them as a tensor of bytes, so that nothing is pickled."""
    return torch.frombuffer(bytearray(msgspec.msgpack.encode(value)), dtype=torch.uint8)


def unpacked(tensor: Tensor, kind: Any = Any) -> Any:
    """What `packed` took, checked to be of `kind`."""
    return msgspec.msgpack.decode(tensor.numpy().tobytes(), type=kind)


def ints(values: Iterable[int]) -> Ints:
    """An array of int64."""
    return np.fromiter(values, np.int64)
