"""The processes of a pipeline on one machine: started again when they die, and killed or stopped for a trial."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random

RESTART_SECS = 1
END_SECS = 60


Say = Callable[[str], None]


@dataclass
class Part:
    """One process of the pipeline; what it prints goes to ``log``."""

    name: str
    arguments: Sequence[str]
    """Of Python."""
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)
    is_wanted: bool = True

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.arguments],
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the pipeline, which ends its parts in order
            )

    async def keep(self, say: Say) -> None:
        """Start the process again whenever it ends."""
        while True:
            await self.ended()
            if not self.is_wanted:
                return
            say(f"{self.name} ended with status {self.process.returncode} (see {self.log}), starting it again")
            await asyncio.sleep(RESTART_SECS)
            self.start()

    async def ended(self) -> None:
        while self.process.poll() is None:
            await asyncio.sleep(0.1)

    async def end(self) -> None:
        """Ask the process to end, and wait for it. Raises TimeoutError if it does not."""
        self.is_wanted = False
        self.process.terminate()
        await asyncio.wait_for(self.ended(), END_SECS)

    def running(self) -> subprocess.Popen[bytes]:
        """Return the process that runs now."""
        return self.process

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True)
class Disturbance:
    """Something that is done to the pipeline, to see that it loses nothing."""

    name: str
    begin: Callable[[], None]
    end: Callable[[], None] | None = None
    """Undoes it, after a while."""


def disturbances(name: str, process: Callable[[], subprocess.Popen[bytes]]) -> list[Disturbance]:
    """Return what can be done to any process: kill it, or stop it for a while."""

    def send(number: signal.Signals) -> Callable[[], None]:
        return lambda: process().send_signal(number)

    return [
        Disturbance(f"kill -9 {name}", send(signal.SIGKILL)),
        Disturbance(f"stop {name}", send(signal.SIGSTOP), send(signal.SIGCONT)),
    ]


async def disturb(
    possible: Sequence[Disturbance], times: int, seconds: float, stopped_secs: float, seed: int, say: Say
) -> None:
    """Do ``times`` of what is possible, drawn by ``seed``, at random moments within ``seconds``.

    What has an end is ended after ``stopped_secs``, unless this is cancelled.
    """
    random = Random(seed)
    moments = [0.0, *sorted(random.uniform(0, seconds) for _ in range(times))]
    async with asyncio.TaskGroup() as ends:
        for number, (last, moment) in enumerate(pairwise(moments), start=1):
            await asyncio.sleep(moment - last)
            drawn = random.choice(possible)
            say(f"{number} of {times}: {drawn.name}{f' for {stopped_secs:g} s' if drawn.end else ''}")
            drawn.begin()
            if drawn.end:
                ends.create_task(after(stopped_secs, drawn.end))


async def after(seconds: float, act: Callable[[], None]) -> None:
    await asyncio.sleep(seconds)
    act()
