"""A Kafka and a Redis that let nobody in without password and right, over TLS."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
)
from pydantic import SecretStr

from ops.access import PARTIES, Party, Right, kafka_commands, kafka_rights, redis_command
from ops.broker import admin
from ops.children import Child, stop_children
from schemas.settings import Settings
from tests.support.polling import eventually
from tests.support.servers import KAFKA_HOME, REDIS_SERVER, KafkaServer, free_port, listens

_MECHANISM = "SCRAM-SHA-512"
_ROOT = "root"
_TOOL_JVM = "-Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
"""Kafka's tools live a second: what makes them start sooner."""


def user_of(party: str) -> str:
    return f"penstock-{party}"


def password_of(party: str) -> str:
    return f"Secret-of-{party}-3f9a"


PASSWORDS = [password_of(party) for party in (*PARTIES, _ROOT)]


class Certificates:
    """Files of a certificate authority and of a server on this machine that it vouches for."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        server = authority.issue_cert("127.0.0.1", "localhost")
        self.ca = folder / "ca.pem"
        self.cert = folder / "server.pem"
        self.key = folder / "server.key"
        self.keystore = folder / "keystore.pem"
        authority.cert_pem.write_to_path(self.ca)
        self.cert.write_bytes(b"".join(blob.bytes() for blob in server.cert_chain_pems))
        # Kafka reads a key in no other form.
        key = load_pem_private_key(server.private_key_pem.bytes(), None)
        self.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.keystore.write_bytes(self.key.read_bytes() + self.cert.read_bytes())


class SecuredKafka(KafkaServer):
    """Passwords by SCRAM, TLS, and an authorizer that refuses what no rule allows."""

    protocol = "SASL_SSL"

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        listener = f"listener.name.{self.protocol.lower()}"
        module = "org.apache.kafka.common.security.scram.ScramLoginModule required"
        login = f'username="{_ROOT}" password="{password_of(_ROOT)}"'
        users = [f"[name={_ROOT},password={password_of(_ROOT)}]"]
        users += [f"[name={user_of(party)},password={password_of(party)}]" for party in PARTIES]
        super().__init__(
            folder,
            [
                f"{listener}.ssl.keystore.type=PEM",
                f"{listener}.ssl.keystore.location={certificates.keystore}",
                f"{listener}.ssl.truststore.type=PEM",
                f"{listener}.ssl.truststore.location={certificates.ca}",
                f"{listener}.sasl.enabled.mechanisms={_MECHANISM}",
                f"{listener}.{_MECHANISM.lower()}.sasl.jaas.config={module} {login};",
                f"sasl.mechanism.inter.broker.protocol={_MECHANISM}",
                "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                # The controller's listener is the broker's own and asks nobody's name.
                f"super.users=User:{_ROOT};User:ANONYMOUS",
            ],
            [option for user in users for option in ("--add-scram", f"{_MECHANISM}={user}")],
        )
        (folder / "admin.properties").write_text(
            "\n".join(
                [
                    f"security.protocol={self.protocol}",
                    f"sasl.mechanism={_MECHANISM}",
                    f"sasl.jaas.config={module} {login};",
                    "ssl.truststore.type=PEM",
                    f"ssl.truststore.location={certificates.ca}",
                    "",
                ]
            )
        )
        self.folder = folder

    def run_tools(self, commands: list[str]) -> None:
        """Run these command lines as Kafka's administrator would."""
        env = {
            **os.environ,
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "KAFKA_HEAP_OPTS": _TOOL_JVM,
            "LOG_DIR": str(self.folder / "tools"),
        }

        def run(command: str) -> None:
            ran = subprocess.run(
                ["bash", "-c", command],
                cwd=self.folder,
                env=env,
                capture_output=True,
                text=True,
                check=False,
            )
            assert ran.returncode == 0, f"{command}: {ran.stdout}{ran.stderr}"

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(run, commands))


@contextmanager
def secured_redis(folder: Path, certificates: Certificates, settings: Settings) -> Iterator[int]:
    """The TLS port of a Redis whose users are those of `penstock acls`."""
    assert REDIS_SERVER is not None
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    users = [
        " ".join(["user", *command[2:], f">{password_of(party)}"])
        for party in PARTIES
        if (command := redis_command(settings, party, user_of(party)))
    ]
    config = folder / "redis.conf"
    config.write_text(
        "\n".join(
            [
                "port 0",
                f"tls-port {port}",
                "bind 127.0.0.1",
                f"dir {folder}",
                'save ""',
                f"tls-cert-file {certificates.cert}",
                f"tls-key-file {certificates.key}",
                f"tls-ca-cert-file {certificates.ca}",
                "tls-auth-clients no",
                "user default off",
                *users,
                "",
            ]
        )
    )
    child = Child("redis", [REDIS_SERVER, str(config)], folder / "redis.log")
    try:
        eventually(lambda: listens(port), bool, f"Redis listens on {port}")
        yield port
    finally:
        stop_children([child], grace_s=5)


class Secured:
    """Both, and the settings with which each party comes to them."""

    def __init__(
        self, settings: Settings, kafka: SecuredKafka, redis_port: int, certificates: Certificates
    ) -> None:
        self._settings, self.kafka, self._redis_port = settings, kafka, redis_port
        self._ca = certificates.ca

    def settings(self, party: Party | None = None, password: str | None = None) -> Settings:
        """Of this party; of the administrator without one."""
        name = user_of(party) if party else _ROOT
        secret = password or password_of(party or _ROOT)
        kafka = self._settings.kafka.model_copy(
            update={
                "bootstrap_servers": self.kafka.bootstrap_servers,
                "security_protocol": self.kafka.protocol,
                "sasl_mechanism": _MECHANISM,
                "username": name,
                "password": SecretStr(secret),
                "ca_file": self._ca,
            }
        )
        url = f"rediss://{name}:{secret}@127.0.0.1:{self._redis_port}/0"
        redis = self._settings.redis.model_copy(update={"url": SecretStr(url), "ca_file": self._ca})
        return self._settings.model_copy(update={"kafka": kafka, "redis": redis})

    def grant_all(self) -> None:
        """What `penstock acls` prints: one party's commands by Kafka's own tool, which takes
        seconds for each, and what the others' commands say by a client.
        """
        by_tool: Party = "trainer"
        self.kafka.run_tools(list(kafka_commands(self.settings(), by_tool, user_of(by_tool))))
        rules = [
            rule_of(party, right)
            for party in PARTIES
            if party != by_tool
            for right in kafka_rights(self.settings(), party)
        ]
        with admin(self.settings()) as client:
            client.create_acls(rules)


def rule_of(party: Party, right: Right) -> ACL:
    """The right as kafka-python's client has it."""
    pattern = ACLResourcePatternType.PREFIXED if right.prefixed else ACLResourcePatternType.LITERAL
    return ACL(
        principal=f"User:{user_of(party)}",
        host="*",
        operation=ACLOperation[right.operation.upper()],
        permission_type=ACLPermissionType.ALLOW,
        resource_pattern=ResourcePattern(ResourceType[right.resource.upper()], right.name, pattern),
    )


@contextmanager
def secured(settings: Settings, folder: Path) -> Iterator[Secured]:
    """Both running, with every right given."""
    certificates = Certificates(folder)
    kafka = SecuredKafka(folder / "kafka", certificates)
    kafka.start()
    try:
        with secured_redis(folder / "redis", certificates, settings) as port:
            parts = Secured(settings, kafka, port, certificates)
            parts.grant_all()
            yield parts
    finally:
        kafka.stop()


def missing_parts() -> str:
    """Why there can be no such parts here; empty when there can."""
    if KAFKA_HOME is None:
        return "KAFKA_HOME is not set; it names an unpacked Apache Kafka"
    if REDIS_SERVER is None or shutil.which("bash") is None:
        return "needs redis-server and bash on PATH"
    return ""
