"""Run the whole pipeline on this machine, replay a seeded world and check what was published: ``make stream``.

Starts a broker, the collector, the lander and the loop, each as a process of its own, with a database of their own.
They are started again if they die, as a service manager would do.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from flyer_analytics.stream.trial import Kafka, Trial, TrialError, embedded_kafka, run

FOLDER = Path("target/stream")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a trial. Returns the exit status."""
    trial = Trial(**vars(read_arguments(arguments)))
    servers = os.environ.get("FLYER_KAFKA")
    for name in ("FLYER_COLLECTOR_KEYS", "FLYER_COLLECTOR_KEYS_FILE", *([] if servers else ["FLYER_KAFKA_CONFIG"])):
        os.environ.pop(name, None)  # a trial has its own collector, without keys
    try:
        if servers:
            return asyncio.run(run(trial, Kafka(servers)))
        with embedded_kafka() as kafka:
            return asyncio.run(run(trial, kafka))
    except TrialError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m flyer_analytics.stream",
        description="Run the pipeline on this machine, replay a seeded world and check what was published.",
        epilog="FLYER_KAFKA=host:port uses that broker, with a topic of its own, in place of the embedded one.",
    )
    parser.add_argument("--rate", type=positive, default=50, help="events a second (default: %(default)s)")
    parser.add_argument(
        "--speed", type=positive, default=1, help="seconds of the world that pass in one second (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=positive, help="how long to send (default: until Ctrl-C; with --speed, a day of the world)"
    )
    parser.add_argument("--seed", type=whole, default=1, help="of the world (default: %(default)s)")
    parser.add_argument(
        "--history", type=whole, default=0, help="events in the database from the start (default: %(default)s)"
    )
    parser.add_argument(
        "--kills", type=whole, default=0, help="how many times to kill or stop a part (needs --seconds)"
    )
    parser.add_argument(
        "--stop", type=positive, default=20, dest="stopped_secs", help="how long, in seconds (default: %(default)s)"
    )
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="of the database and all else; emptied first (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    if options.kills and not options.seconds:
        parser.error("--kills needs --seconds: the kills are spread over that time")
    return options


def whole(text: str) -> int:
    """Read a number that is not negative. Raises ValueError, of which argparse makes a message."""
    if not text.isdecimal():
        raise ValueError
    return int(text)


def positive(text: str) -> float:
    """Read a number. Raises ValueError, of which argparse makes a message."""
    value = float(text)
    if not 0 < value < 1e9:
        raise ValueError
    return value


if __name__ == "__main__":
    sys.exit(main())
