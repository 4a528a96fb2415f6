"""Settings of the services: environment only, frozen, unknown names refused."""

import os
import socket
from typing import ClassVar, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from candlelog.errors import Misconfigured
from candlelog.log.compression import Compression


def service_config(prefix: str) -> SettingsConfigDict:
    """The configuration of a settings class whose own fields carry `prefix`, e.g. `FETCHER_`."""
    return SettingsConfigDict(env_prefix=prefix, frozen=True, extra="forbid")


def _shared(name: str) -> str:
    return f"CANDLELOG_{name}"


class ServiceSettings(BaseSettings):
    """What every service is told. Shared names begin with `CANDLELOG_`, own ones with the prefix
    of the service; a variable with that prefix that no field has is refused.
    """

    compression: ClassVar[Compression] = "zstd"
    """Of what the service writes to the log; no setting of a user."""

    kafka_bootstrap: str = Field(validation_alias=_shared("KAFKA_BOOTSTRAP"))
    postgres_dsn: str = Field(default="", validation_alias=_shared("POSTGRES_DSN"))
    clickhouse_url: str = Field(default="", validation_alias=_shared("CLICKHOUSE_URL"))
    topic_prefix: str = Field(default="candlelog.", validation_alias=_shared("TOPIC_PREFIX"))

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=0, ge=0, le=65535)
    instance: str = Field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}")

    @model_validator(mode="after")
    def _refuse_unknown_names(self) -> Self:
        prefix = self.model_config.get("env_prefix", "")
        known = {
            str(each.validation_alias or prefix + name.upper())
            for name, each in type(self).model_fields.items()
        }
        unknown = sorted(
            name for name in os.environ if prefix and name.startswith(prefix) and name not in known
        )
        if unknown:
            raise ValueError(f"unknown settings {', '.join(unknown)}; known: {_list(known)}")
        return self

    @classmethod
    def load(cls) -> Self:
        """Read the environment; `Misconfigured` says in one line which setting is wrong."""
        try:
            return cls()  # pyright: ignore[reportCallIssue] -- the environment gives the fields
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = ".".join(str(part) for part in first["loc"])
            raise Misconfigured(f"{name or 'settings'}: {first['msg']}") from error


class ArchiveSettings(ServiceSettings):
    """Settings of a service that looks into archives."""

    archives: str = Field(default="", validation_alias=_shared("ARCHIVES"))
    """Where archives are, `name=folder_or_address,…`; the same for all services."""

    @field_validator("archives")
    @classmethod
    def _pairs(cls, text: str) -> str:
        parse_pairs(text)
        return text

    @property
    def archive_roots(self) -> dict[str, str]:
        """Where archives are, by name."""
        return parse_pairs(self.archives)


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names))


def parse_pairs(text: str) -> dict[str, str]:
    """`name=value,name=value` as a mapping, as `CANDLELOG_EXCHANGE_URLS` is written."""
    pairs = [part.split("=", 1) for part in text.split(",") if part.strip()]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise ValueError(f"{text!r} is not of the form name=value,name=value")
    return {name.strip(): value.strip() for name, value in pairs}
