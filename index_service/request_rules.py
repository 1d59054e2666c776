"""The rules of a recall request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from index_service.backend import unit
from schemas.contexts import MOST_VALUES
from schemas.events import FeatureValue
from schemas.recall import ErrorDetail, RecallRequest
from schemas.settings import Settings


def broken_rule(
    request: RecallRequest, settings: Settings, known_fields: Sequence[str] | None
) -> ErrorDetail | None:
    """The first rule that the request breaks, or None.

    `known_fields` are the attributes that items have; None when there are no items yet, as then
    no field can be called unknown.
    """
    return (
        _one_way_to_ask(request)
        or _k_in_range(request.k, settings.index.max_k)
        or _vector(request.vector, settings.towers.dim)
        or _known_filter(request, known_fields)
        or _context(request.context)
    )


def _one_way_to_ask(request: RecallRequest) -> ErrorDetail | None:
    ways = {
        "user_id": request.user_id,
        "vector": request.vector,
        "item_ids": request.item_ids,
    }
    given = [name for name, value in ways.items() if value is not None]
    if len(given) != 1:
        return ErrorDetail(
            "exactly one of user_id, vector and item_ids must be given",
            " and ".join(given) or "none",
            "give the one that the list is for",
        )
    if request.item_ids is not None and not request.item_ids:
        return ErrorDetail(
            "item_ids must name at least one item",
            "[]",
            "name the items, newest first, or ask by user_id",
        )
    return None


def _k_in_range(k: int, max_k: int) -> ErrorDetail | None:
    if 1 <= k <= max_k:
        return None
    advice = "ask for fewer items, or raise index.max_k" if k > max_k else "ask for at least one"
    return ErrorDetail(f"k must lie from 1 to {max_k}", str(k), advice)


def _vector(vector: list[float] | None, dim: int) -> ErrorDetail | None:
    if vector is None:
        return None
    if len(vector) != dim:
        return ErrorDetail(
            f"vector must have {dim} numbers, as towers.dim says",
            f"{len(vector)} numbers",
            "send a vector of the model that is served",
        )
    if unit(vector) is None:
        return ErrorDetail(
            "vector must be finite and not zero, as only its direction counts",
            "zero, NaN or infinity",
            "check where it comes from",
        )
    return None


def _known_filter(request: RecallRequest, known_fields: Sequence[str] | None) -> ErrorDetail | None:
    if known_fields is None:
        return None
    unknown = sorted(set(request.filter) - set(known_fields))
    if not unknown:
        return None
    return ErrorDetail(
        "filter must name attributes that items have",
        ", ".join(unknown),
        f"known are {', '.join(known_fields) or 'none'}",
    )


def _context(context: Mapping[str, FeatureValue]) -> ErrorDetail | None:
    values = sum(len(value) if isinstance(value, list) else 1 for value in context.values())
    if values <= MOST_VALUES:
        return None
    return ErrorDetail(
        f"context must hold at most {MOST_VALUES} values",
        f"{values} values",
        "send those that say where the user is",
    )
