"""The page of settings: current, and with every setting on it."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel

from schemas.settings import Settings
from schemas.settings_page import settings_page

ROOT = Path(__file__).parents[3]


def test_the_page_in_docs_is_current() -> None:
    written = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert written == settings_page(), "run `python -m schemas.settings_page > docs/settings.md`"


def test_every_setting_has_a_row_with_a_type_a_default_and_a_meaning() -> None:
    wanted = set()
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            wanted |= {f"{name}.{key}" for key in section.model_fields}
        else:
            wanted.add(name)
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.+) \| (.+) \| (.+) \|$", settings_page(), re.M)
    assert {row[0] for row in rows} == wanted
    for name, kind, default, meaning in rows:
        assert all(part.strip() for part in (kind, default, meaning)), name


def test_types_bounds_and_defaults_by_hand() -> None:
    page = settings_page()
    for row in (
        "| `towers.dim` | integer ≥ 2 ≤ 4096 | `64` | Dimensions of a vector. |",
        "| `kafka.ca_file` | path or none | none | Certificates to trust for TLS; the system's "
        "when not given. |",
        "| `towers.logq` | true or false | `true` | Correct sampled negatives for how often the "
        "sampling is expected to bring them. |",
        "| `labelling.signals` | table of number | `{ view = 0.5 }` | Actions that enter the "
        "user's history with this weight and are no label. |",
    ):
        assert row in page
