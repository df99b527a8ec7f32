"""Where Kafka is, for all of its clients."""

import logging
import os
from pathlib import Path


class SettingError(Exception):
    """A setting is invalid. The message names it and says what it must be."""


def kafka_config() -> dict[str, str]:
    """Return librdkafka's properties: those of the file ``FLYER_KAFKA_CONFIG``, and ``FLYER_KAFKA`` as the servers.

    Raises SettingError if the file cannot be read or has a line that is not `key=value`.
    """
    properties = {"bootstrap.servers": "localhost:9092"}
    if path := os.environ.get("FLYER_KAFKA_CONFIG"):
        properties |= read_properties(Path(path))
    if servers := os.environ.get("FLYER_KAFKA"):
        properties["bootstrap.servers"] = servers
    return properties


def read_properties(path: Path) -> dict[str, str]:
    """Return the properties in a file of `key=value` lines, in which `#` begins a line of comment."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"FLYER_KAFKA_CONFIG: {path} cannot be read: {error}") from error
    properties = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not equals:
            # Not the line itself, which may hold a password.
            raise SettingError(f"FLYER_KAFKA_CONFIG: line {number} of {path} is not key=value")
        properties[key.strip()] = value.strip()
    return properties


def topic() -> str:
    """Return the topic of events: ``FLYER_KAFKA_TOPIC``."""
    return os.environ.get("FLYER_KAFKA_TOPIC") or "flyer-events"


def silent_logger() -> logging.Logger:
    """Return a logger for clients whose errors are reported otherwise, in place of librdkafka's lines on stderr."""
    logger = logging.getLogger(__name__)
    logger.disabled = True
    return logger
