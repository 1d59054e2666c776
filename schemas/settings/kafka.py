"""`[kafka]`: where it is and how to log in."""

from __future__ import annotations

from pathlib import Path
from ssl import SSLContext
from typing import Any, Literal

from pydantic import SecretStr

from schemas.errors import SettingsError
from schemas.settings.section import Section
from schemas.settings.tls import trusting


class _Hidden(str):
    """A secret for a client that writes its options into its log."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'"


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

    def _tls(self) -> SSLContext:
        context = trusting("kafka", self.ca_file)
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
