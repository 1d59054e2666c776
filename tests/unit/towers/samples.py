"""Samples for the tests of the towers."""

from __future__ import annotations

from schemas.events import FeatureValue
from schemas.samples import Sample, SampleBatch, SampleKind, sample_id

ACTIONS: dict[SampleKind, str] = {
    "positive": "click",
    "signal": "view",
    "exposure_negative": "exposure",
}


def sample(
    user: str,
    item: str,
    request: str,
    kind: SampleKind = "positive",
    ts_ms: int = 0,
    weight: float = 1.0,
    context: dict[str, FeatureValue] | None = None,
    action: str | None = None,
) -> Sample:
    action = action or ACTIONS[kind]
    return Sample(
        sample_id=sample_id(request, item, action),
        kind=kind,
        action=action,
        user_id=user,
        item_id=item,
        request_id=request,
        ts_ms=ts_ms,
        weight=weight,
        context=context or {},
    )


def batch(
    *samples: Sample, offset: int = 0, partition: int = 0, exposures: dict[str, int] | None = None
) -> SampleBatch:
    return SampleBatch(list(samples), partition, offset, exposures or {})
