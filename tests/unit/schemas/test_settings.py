"""What is said of settings that can't be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import SettingsError
from schemas.settings import CONFIG_VARIABLE, load_settings


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("namespace = 'a b'", "setting namespace: String should match pattern"),
        ("namespaces = 'a'", "setting namespaces is unknown; did you mean 'namespace'?"),
        ("index.max_kk = 5", "setting index.max_kk is unknown; did you mean 'max_k'?"),
        ("index.zzz = 5", "setting index.zzz is unknown; known are backend, deadline_ms,"),
        ("towers.dim = 1", "setting towers.dim: Input should be greater than or equal to 2; got 1"),
        ("towers.trend_half_lives = [5, -1]", "setting towers.trend_half_lives.1: Input should"),
        ("labelling.positives.buy = 'x'", "setting labelling.positives.buy: Input should be a"),
        ("kafka.password = 4711", "setting kafka.password: Input should be a valid string; got a"),
        ("redis.url = 4711", "setting redis.url: Input should be a valid string; got a int"),
        ("index.milvus_token = 4711", "setting index.milvus_token: Input should be a valid string"),
    ],
)
def test_one_line_says_what_is_wrong_and_tells_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, told: str
) -> None:
    file = tmp_path / "penstock.toml"
    file.write_text(toml)
    monkeypatch.setenv(CONFIG_VARIABLE, str(file))
    with pytest.raises(SettingsError) as refused:
        load_settings(file)
    line = str(refused.value)
    assert line.startswith(told)
    assert "\n" not in line
    assert "4711" not in line
