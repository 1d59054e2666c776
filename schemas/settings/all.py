"""All tables of the settings file, and where they are read from."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from schemas.settings.embedded import EmbeddedSettings
from schemas.settings.features import FeatureSettings
from schemas.settings.http import HttpSettings
from schemas.settings.index import IndexSettings
from schemas.settings.kafka import KafkaSettings
from schemas.settings.labelling import LabellingSettings
from schemas.settings.redis import RedisSettings
from schemas.settings.topics import TopicSettings
from schemas.settings.towers import TowerSettings
from schemas.settings.trainer import TrainerSettings

CONFIG_VARIABLE = "PENSTOCK_CONFIG"
DEFAULT_FILE = Path("penstock.toml")


class Settings(BaseSettings):
    """All settings of all roles."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix="PENSTOCK_",
        env_nested_delimiter="__",
        use_attribute_docstrings=True,
    )

    namespace: str = Field(default="penstock", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """In front of every topic, group and Redis key."""
    instance: str | None = None
    """Name of this process in its consumer group, the same at each start and no other's: after a
    kill it takes its partitions back at once, instead of when its session has ended."""
    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    topics: TopicSettings = TopicSettings()
    labelling: LabellingSettings = LabellingSettings()
    features: FeatureSettings = FeatureSettings()
    towers: TowerSettings = TowerSettings()
    trainer: TrainerSettings = TrainerSettings()
    index: IndexSettings = IndexSettings()
    http: HttpSettings = HttpSettings()
    embedded: EmbeddedSettings = EmbeddedSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the file named by PENSTOCK_CONFIG."""
        path = os.environ.get(CONFIG_VARIABLE)
        toml = TomlConfigSettingsSource(settings_cls, Path(path) if path else DEFAULT_FILE)
        return (init_settings, env_settings, toml)
