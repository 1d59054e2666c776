"""Every setting, with its type, default and meaning.

Read, strongest first, from arguments, `PENSTOCK_` variables (`PENSTOCK_KAFKA__BOOTSTRAP_SERVERS`)
and the TOML file.
"""

from __future__ import annotations

import difflib
import os
import ssl
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings.exceptions import SettingsError as UnreadableSource

from schemas.errors import SettingsError

CONFIG_VARIABLE = "PENSTOCK_CONFIG"
DEFAULT_FILE = Path("penstock.toml")


class Section(BaseModel):
    """A table of the TOML file."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class _Hidden(str):
    """A secret for a client that writes its options into its log."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'"


def _trusting(section: str, ca_file: Path | None) -> ssl.SSLContext:
    """A context that verifies servers against these certificates. Raises SettingsError."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        msg = (
            f"{section}.ca_file must be a PEM file of certificates; got {ca_file} ({error}); "
            "name one that is, or leave it out to trust the system's"
        )
        raise SettingsError(msg) from error


def _no_passphrase() -> str:
    """In place of OpenSSL's question at the terminal, which a service can't answer."""
    msg = "the key has a passphrase"
    raise ValueError(msg)


class KafkaSettings(Section):
    """Where Kafka is and how to log in."""

    bootstrap_servers: str = "127.0.0.1:9092"
    """Comma-separated host:port of some brokers."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How the connection is secured."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    """How a SASL login is made."""
    username: str | None = None
    """SASL user."""
    password: SecretStr | None = None
    """SASL password."""
    ca_file: Path | None = None
    """Certificates to trust for TLS; the system's when not given."""
    cert_file: Path | None = None
    """This client's own certificate for TLS, in PEM, where the broker asks for one."""
    key_file: Path | None = None
    """The key of `cert_file`, in PEM and without a passphrase, unless that file holds it too."""

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments that kafka-python and aiokafka both take.

        Raises SettingsError when a file of certificates can't be used.
        """
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers.split(","),
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.endswith("SSL"):
            options["ssl_context"] = self._tls()
        if self.security_protocol.startswith("SASL"):
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.username
            secret = self.password and self.password.get_secret_value()
            options["sasl_plain_password"] = secret and _Hidden(secret)
        return options

    @property
    def advice(self) -> str:
        """What to look at when Kafka does not answer: a refused login looks the same to clients."""
        if not self.security_protocol.startswith("SASL"):
            return "is it up?"
        return f"is it up, does it know {self.username} by this password, and is TLS as it asks?"

    def _tls(self) -> ssl.SSLContext:
        context = _trusting("kafka", self.ca_file)
        if self.cert_file is not None:
            try:
                context.load_cert_chain(self.cert_file, self.key_file, _no_passphrase)
            except (OSError, ValueError) as error:
                msg = (
                    "kafka.cert_file and kafka.key_file must be PEM files of a certificate and its "
                    f"key; got {self.cert_file} and {self.key_file} ({error}); name files that are"
                )
                raise SettingsError(msg) from error
        return context


class RedisSettings(Section):
    """Where Redis is."""

    url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    """redis://, or rediss:// for TLS, with user and password where there are any."""
    ca_file: Path | None = None
    """Certificates to trust for TLS; the system's when not given."""
    user_ttl_s: int = Field(default=30 * 86_400, ge=1)
    """A user's record is forgotten this long after its last refresh."""

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments beside the URL. Raises SettingsError when `ca_file` can't be used."""
        if self.ca_file is None or not self.url.get_secret_value().startswith("rediss://"):
            return {}
        _trusting("redis", self.ca_file)
        return {"ssl_ca_certs": str(self.ca_file)}


class TopicSettings(Section):
    """How topics are laid out; see `penstock topics create`."""

    partitions: int = Field(default=4, ge=1)
    """Partitions of events, labels and recall: at most so many workers share a role's work."""
    shards: int = Field(default=2, ge=1)
    """Partitions of item-vectors: shards of the index."""
    replication_factor: int = Field(default=1, ge=1)
    """Copies of each partition; 3 in production."""


class LabellingSettings(Section):
    """What counts as what, and how long to wait for it."""

    positives: dict[str, float] = {"click": 1.0, "like": 1.0, "favourite": 1.0, "share": 1.0}
    """Actions that are positives, with their weights."""
    signals: dict[str, float] = {"view": 0.5}
    """Actions that enter the user's history with this weight and are no label."""
    window_ms: int = Field(default=900_000, ge=1)
    """An exposure without a positive is a negative this long after it."""
    lateness_ms: int = Field(default=10_000, ge=0)
    """How far behind the newest event of its partition an event may come."""
    max_skew_ms: int = Field(default=300_000, ge=0)
    """How far in the future an event may lie."""
    max_record_bytes: int = Field(default=1_000_000, ge=1)
    """A larger record of events is a dead letter."""
    max_pending_exposures: int = Field(default=1_000_000, ge=1)
    """Exposures that may wait in one partition, and positives remembered; beyond that the oldest
    are settled early, and counted. About 500 bytes each."""


HalfLife = Annotated[float, Field(gt=0)]

FeatureKind = Literal["categorical", "numeric", "log", "bucketed", "text", "ignore"]


class FeatureSettings(Section):
    """The kind of each feature. One not named here is numeric if a number, else categorical.

    A number is standardised as it is (`numeric`) or its logarithm is (`log`), or it is one of 16
    buckets with as many values each (`bucketed`).
    """

    items: dict[str, FeatureKind] = {}
    """Features of items."""
    users: dict[str, FeatureKind] = {}
    """Features in an event's context."""
    user_id: bool = False
    """A user's id is a feature too: an embedding for each user that acted."""
    text_buckets: int = Field(default=65_536, ge=1)
    """The words of a text feature share so many embeddings, by hash."""


Objective = Literal["listwise", "hinge", "logistic", "pointwise", "squared"]


class TowerSettings(Section):
    """The model. Changing what a checkpoint holds, such as `dim`, needs a new epoch."""

    epoch: int = Field(default=1, ge=1)
    """Number of the model whose vectors are published and served."""
    dim: int = Field(default=64, ge=2, le=4096)
    """Dimensions of a vector."""
    user_tower: Literal["sum", "mlp", "dcn", "dot"] = "mlp"
    """Makes a user of history and features: their sum, plus an MLP of it, or plus one of their
    crosses (DCN-v2); `dot` is the sum, and meets items by the product instead of the cosine."""
    item_tower: Literal["sum", "mlp"] = "sum"
    """Makes an item of its id and features: their sum, or that plus an MLP of it."""
    hidden: int = Field(default=128, ge=1)
    """Width of a tower's hidden layer."""
    history: int = Field(default=20, ge=0)
    """Latest items of a user that the user tower reads."""
    history_decay: float = Field(default=0.8, gt=0, le=1)
    """Weight of each older item of the history against the one after it."""
    tau: float = Field(default=0.2, gt=0)
    """Temperature of the softmax over cosines."""
    embedding_lr: float = Field(default=0.1, gt=0)
    """Learning rate of the embeddings of ids and features (row-wise Adagrad)."""
    dense_lr: float = Field(default=3e-4, gt=0)
    """Learning rate of the dense layers (Adam)."""
    objective: Objective = "listwise"
    """What is learned: a softmax over all of a positive's negatives (`listwise`), each pair of
    both by a margin (`hinge`) or a logit (`logistic`), or each by itself as a class (`pointwise`)
    or as the sum of the actions' weights (`squared`)."""
    margin: float = Field(default=0.2, gt=0)
    """By how much a positive is to score above a negative; of `hinge`."""
    negatives_ratio: float = Field(default=3.0, gt=0)
    """How many negatives count against each positive; of all objectives but `listwise`."""
    logq: bool = True
    """Correct sampled negatives for how often the sampling is expected to bring them."""
    in_batch_negatives: bool = True
    """The batch's positives of others are negatives too."""
    uniform_negatives: int = Field(default=256, ge=0)
    """Items drawn uniformly as negatives for each batch."""
    exposure_negatives: int = Field(default=1, ge=0)
    """Unclicked exposures of the same user set against each positive."""
    exposures_only: bool = Field(default=False, validate_default=True)
    """Allow exposures as the only negatives, which recall should not be learned from."""
    admit_after: int = Field(default=0, ge=0)
    """Positives with an id or a feature's value before it has an embedding of its own."""
    expire_after_positives: int = Field(default=10_000_000, ge=1)
    """An embedding that none of so many positives used is given to another id or value."""
    replay: int = Field(default=3, ge=0)
    """Earlier positives learned again for each new one."""
    replay_buffer: int = Field(default=8_192, ge=1)
    """Latest positives to replay from."""
    trend_half_lives: tuple[HalfLife, ...] = (10.0, 200.0, 5_000.0)
    """Positives of anyone after which an item's counts of positives and exposures weigh half; the
    learned weights choose among them. None: no trend."""
    positives_weight: float = 0.25
    """Weight of the log of the slowest count of positives, to begin with."""
    exposures_weight: float = 0.0
    """Weight of the log of the slowest count of exposures, to begin with."""
    learn_blend: bool = True
    """Learn the weights of the score online; else they stay as they begin."""
    blend_against: Literal["catalogue", "shown"] = "catalogue"
    """What a taken item is set against: all items alike, where others decide what is shown; or each
    as often as it was shown to anyone, where recall itself decides: it would else learn to show
    most what it shows most."""
    similar_items: int = Field(default=100, ge=0)
    """Items that come next where a user's last ones were, in the user's record; 0 counts none."""
    together_items: int = Field(default=100, ge=0)
    """Items that others took with a user's history, in the user's record; 0 counts none."""
    similar_partners: int = Field(default=128, ge=1)
    """Items that an item is remembered to occur with, in either way, at 12 bytes each."""
    context_items: int = Field(default=50, ge=0)
    """Items for each feature of a user's context, in the user's record; 0 counts none."""
    context_values: int = Field(default=2_000, ge=1)
    """Latest context values, such as cities, whose items are counted."""
    seed: int = 0
    """Seed of every random choice."""
    warm_start: Path | None = None
    """File of `penstock pretrain` whose vectors items' embeddings begin with; other items begin as
    they would without it."""

    @field_validator("exposures_only")
    @classmethod
    def _have_negatives(cls, allowed: bool, others: ValidationInfo) -> bool:
        """Recall tells an item from the whole catalogue: negatives must come from there."""
        names = ("in_batch_negatives", "uniform_negatives", "exposure_negatives")
        sampled_in_batch, uniform, exposures = (others.data.get(name, 1) for name in names)
        if sampled_in_batch or uniform or (exposures and allowed):
            return allowed
        kind, msg = (
            "negatives",
            "recall must learn from negatives of the whole catalogue, and exposures were chosen by "
            "recall before; set towers.uniform_negatives or towers.in_batch_negatives, or "
            "towers.exposures_only = true with towers.exposure_negatives to learn from them alone",
        )
        raise PydanticCustomError(kind, msg)


class TrainerSettings(Section):
    """The trainer's process."""

    checkpoint_dir: Path = Path(".penstock/checkpoints")
    """Where checkpoints are written."""
    checkpoint_every_s: float = Field(default=30.0, gt=0)
    """Seconds between checkpoints."""
    checkpoints_kept: int = Field(default=2, ge=1)
    """Newest checkpoints that stay on disk."""
    batch: int = Field(default=128, ge=1)
    """Positives learned in one step, at most."""
    learn_every_ms: int = Field(default=100, ge=0)
    """A step that fills no batch waits so long after the one before: a step of two positives costs
    half of what one of thirty does, and a click waits for it."""
    ranked_per_poll: int = Field(default=2, ge=1)
    """Positives of one poll that are ranked before they are learned, at most: live recall and the
    score's weights, which look back on 2,000 of them, come from these. At a low rate it is each."""
    paired_per_poll: int = Field(default=16, ge=1)
    """Of the items that users came to within one poll, so many are counted to occur with what came
    before, at most; of more, a sample stands for all."""
    waiting_positives: int = Field(default=100_000, ge=0)
    """Positives that may wait to be learned; beyond that the oldest go unlearned, counted."""
    publish_eps: float = Field(default=0.01, gt=0)
    """Cosine distance from the published vector at which a touched item is published again."""
    scan_eps: float = Field(default=0.02, gt=0)
    """The same for the scan of all items, so also the bound on how stale a served vector is."""
    scan_every_steps: int = Field(default=50, ge=1)
    """Steps between scans."""
    bias_step: float = Field(default=0.1, gt=0)
    """An item is published again when its counts move its score by this much."""
    seen_items: int = Field(default=500, ge=0)
    """Newest seen items kept in a user's record."""
    sample_window: int = Field(default=200_000, ge=1)
    """Newest sample ids remembered, to learn each once."""


BackendName = Literal["exact", "hnsw", "faiss-ivf", "faiss-lsh", "milvus"]


class IndexSettings(Section):
    """The index node and recall."""

    backend: BackendName = "hnsw"
    """What proposes the nearest items of a large shard; `docs/index.md` says which one when."""
    milvus_url: str = ".penstock/milvus.db"
    """Of the backend `milvus`: a server's URL, or a file for Milvus Lite."""
    milvus_token: SecretStr | None = None
    """Of the backend `milvus`: the server's token, or user:password."""
    exact_below: int = Field(default=64_000, ge=0)
    """A shard with fewer items is searched exactly."""
    target_recall: float = Field(default=0.995, gt=0, lt=1)
    """Share of the true nearest 100 that a large shard is to find: how widely it searches follows
    from samples of its queries."""
    max_unwritten: int = Field(default=2_048, ge=1)
    """Changes that may wait for the backend before reading of the topic is held back; until then
    they are compared one by one."""
    trending_pool: int = Field(default=1_000, ge=2)
    """Above so many items a shard, or what a filter leaves of it, keeps its most trending ones at
    hand."""
    ef_search: int = Field(default=100, ge=1)
    """hnswlib's breadth of search, to begin with."""
    ef_construction: int = Field(default=100, ge=1)
    """hnswlib's breadth while building."""
    m: int = Field(default=16, ge=2)
    """hnswlib's links per item."""
    rebuild_dead_share: float = Field(default=0.5, gt=0, lt=1)
    """Share of dead entries at which the graph is built anew in the background."""
    replica: str = Field(default="a", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """Nodes of one replica share the shards; those of another hold them all once more."""
    hedge_ms: int = Field(default=50, ge=1)
    """A node that does not answer another for so long gets help from the next with its shards."""
    snapshot_dir: Path | None = None
    """Where shards are kept for the next start; `index` in `embedded.data_dir` when not given."""
    snapshot_every_s: float = Field(default=30.0, gt=0)
    """Seconds between two files of a shard that changes."""
    max_in_flight: int = Field(default=256, ge=1)
    """Requests that a node has in hand at a time; more are told `overloaded` at once."""
    max_k: int = Field(default=1_000, ge=1)
    """Most items that one request may ask for."""
    deadline_ms: int = Field(default=1_000, ge=1)
    """How long a request without a deadline may take."""
    trending_share: float = Field(default=1.0, ge=0, le=1)
    """Trending items proposed to the blended ranking, as a share of k (at least one if above 0)."""


class HttpSettings(Section):
    """Metrics and health of a role: `/metrics`, `/healthz` and `/readyz`."""

    enabled: bool = True
    """Whether a role serves HTTP at all."""
    host: str = "127.0.0.1"
    """The address to listen on; 0.0.0.0 for all, where a firewall stands in front."""
    port: int = Field(default=0, ge=0, le=65_535)
    """0 takes any free one, which the log and `penstock doctor` name."""
    alive_within_s: float = Field(default=60.0, gt=0)
    """A role is alive when its loop has turned within this time."""
    ready_within_s: float = Field(default=60.0, gt=0)
    """A labeller is ready when no record of events has waited for it for longer."""


class EmbeddedSettings(Section):
    """The stack on one machine: Kafka and Redis protocol in one child process."""

    data_dir: Path = Path(".penstock")
    """Where its data, logs and checkpoints lie."""


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


def load_settings(path: Path | None = None) -> Settings:
    """The settings in force. Raises SettingsError, with one line for each thing that is wrong."""
    if path is not None:
        os.environ[CONFIG_VARIABLE] = str(path)  # children of this process read the same file
    named = os.environ.get(CONFIG_VARIABLE)
    if named and not Path(named).is_file():
        msg = f"settings file not found: {named}; name one that exists, or unset {CONFIG_VARIABLE}"
        raise SettingsError(msg)
    try:
        return Settings()
    except tomllib.TOMLDecodeError as error:
        msg = f"{named or DEFAULT_FILE} is not TOML: {error}"
        raise SettingsError(msg) from error
    except UnreadableSource as error:
        # pydantic-settings names the field in its text only.
        name = str(error).partition('field "')[2].partition('"')[0]
        msg = (
            f"setting {name}: a whole section in one variable is JSON; it could not be read; "
            f"set its fields one by one, as PENSTOCK_{name.upper()}__NAME"
        )
        raise SettingsError(msg) from error
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(detail) for detail in error.errors())) from error


def _shown(path: list[str], value: Any) -> str:
    """The value that broke a rule, unless it is, or may hold, a secret."""
    secret = path[-1] in ("password", "url") or isinstance(value, dict | list)
    return f"a {type(value).__name__}" if secret else repr(value)


def _explain(detail: Any) -> str:
    """One line of a validation error; an unknown key gets the closest known one."""
    path = [str(part) for part in detail["loc"]]
    name = ".".join(path)
    if detail["type"] != "extra_forbidden":
        return f"setting {name}: {detail['msg']}; got {_shown(path, detail['input'])}"
    section: Any = Settings
    for part in path[:-1]:
        section = section.model_fields[part].annotation
    known = list(section.model_fields)
    close = difflib.get_close_matches(path[-1], known, n=1)
    advice = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(known))}"
    return f"setting {name} is unknown; {advice}"
