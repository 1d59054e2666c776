"""Filters and contexts as they are written on the command line."""

from __future__ import annotations

import re

import typer

from schemas.events import FeatureValue
from schemas.recall import Condition, Range, Scalar

_BOUND = re.compile(r"^(?P<field>[^<>=]+)(?P<operator>>=|<=|>|<)(?P<value>.+)$")
_BOUND_NAMES = {">=": "gte", ">": "gt", "<=": "lte", "<": "lt"}


def parse_conditions(conditions: list[str]) -> dict[str, Condition]:
    """`field=value`, `field=a,b` and bounds as a request's filter; bounds on one field add up.

    A value that reads as a number or as true or false is one.
    """
    parsed: dict[str, Condition] = {}
    bounds: dict[str, dict[str, float]] = {}
    for text in conditions:
        bound = _BOUND.match(text)
        field, equals, value = text.partition("=")
        if bound:
            name = bound["field"].strip()
            number = _scalar(bound["value"])
            if isinstance(number, str | bool):
                msg = f"a bound is a number; got {bound['value']!r} in {text!r}"
                raise typer.BadParameter(msg)
            bounds.setdefault(name, {})[_BOUND_NAMES[bound["operator"]]] = float(number)
        elif equals and field.strip() and value:
            values = [_scalar(part) for part in value.split(",")]
            parsed[field.strip()] = values[0] if len(values) == 1 else values
        else:
            msg = f"a filter is field=value, field=a,b or field>=number; got {text!r}"
            raise typer.BadParameter(msg)
    parsed.update({name: Range(**limits) for name, limits in bounds.items()})
    return parsed


def parse_context(features: list[str]) -> dict[str, FeatureValue]:
    """`feature=value` and `feature=a,b` as a request's context; values as in `parse_conditions`."""
    parsed: dict[str, FeatureValue] = {}
    for text in features:
        feature, equals, value = text.partition("=")
        if not (equals and feature.strip() and value):
            msg = f"a context is feature=value or feature=a,b; got {text!r}"
            raise typer.BadParameter(msg)
        values = [part.strip() for part in value.split(",")]
        parsed[feature.strip()] = _scalar(values[0]) if len(values) == 1 else values
    return parsed


def _scalar(text: str) -> Scalar:
    text = text.strip()
    if text in ("true", "false"):
        return text == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
