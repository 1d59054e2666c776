"""Every setting, with its type, default and meaning: a file for each table of the TOML file.

Read, strongest first, from arguments, `PENSTOCK_` variables (`PENSTOCK_KAFKA__BOOTSTRAP_SERVERS`)
and the TOML file.
"""

from schemas.settings.all import CONFIG_VARIABLE, Settings
from schemas.settings.embedded import EmbeddedSettings
from schemas.settings.features import FeatureKind, FeatureSettings
from schemas.settings.http import HttpSettings
from schemas.settings.index import BackendName, IndexSettings
from schemas.settings.kafka import KafkaSettings
from schemas.settings.labelling import LabellingSettings
from schemas.settings.loading import load_settings
from schemas.settings.redis import RedisSettings
from schemas.settings.topics import TopicSettings
from schemas.settings.towers import Objective, TowerSettings
from schemas.settings.trainer import TrainerSettings

__all__ = [
    "CONFIG_VARIABLE",
    "BackendName",
    "EmbeddedSettings",
    "FeatureKind",
    "FeatureSettings",
    "HttpSettings",
    "IndexSettings",
    "KafkaSettings",
    "LabellingSettings",
    "Objective",
    "RedisSettings",
    "Settings",
    "TopicSettings",
    "TowerSettings",
    "TrainerSettings",
    "load_settings",
]
