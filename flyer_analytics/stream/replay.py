"""Send the events of a seeded world to the collector at their pace, and keep a ledger of them.

The ledger holds one JSON object a line: an event as it was sent, and under names that begin with `_` what is expected
of it. So it can be loaded like any file of events.
"""

import asyncio
import json
import time
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

import httpx

from flyer_analytics.stream.world import WorldEvent, world

TICK_SECS = 0.1
BATCH_EVENTS = 500
BATCHES_IN_FLIGHT = 8
TIMEOUT_SECS = 30
RETRY_SECS = 0.5
TRY_AGAIN = {429, 503}
DAY_SECS = 86400


@dataclass
class Replay:
    """A replay and what has become of it."""

    collector: str
    """URL."""
    ledger: Path
    rate: float
    """Events a second."""
    speed: float = 1
    """Seconds that pass in the world while one second passes here."""
    seconds: float | None = None
    """How long it lasts. None: until it is stopped or, if faster than time, for the last day of the world."""
    seed: int = 1
    sent: int = 0
    unacknowledged: set[int] = field(default_factory=set)
    """Numbers of the events for which the collector has not answered that Kafka has them."""

    @property
    def acknowledged(self) -> int:
        return self.sent - len(self.unacknowledged)

    async def run(self, stop: asyncio.Event) -> None:
        """Send until the end, or until ``stop``, then wait for the last answers.

        Raises httpx.HTTPStatusError if the collector refuses events.
        """
        begun = time.time()
        seconds = self.seconds or (DAY_SECS / self.speed if self.speed > 1 else None)
        # It ends in the present, so that no event is of the future.
        start = begun - (self.speed - 1) * (seconds or 0)
        events = world(self.seed, self.rate / self.speed, start)
        if seconds:
            end = start + self.speed * seconds
            events = takewhile(lambda event: event.arrives_at < end, events)
        free = asyncio.Semaphore(BATCHES_IN_FLIGHT)
        waiting = next(events, None)
        with self.ledger.open("w", encoding="utf-8") as ledger:
            async with (
                httpx.AsyncClient(base_url=self.collector, timeout=TIMEOUT_SECS) as client,
                asyncio.TaskGroup() as batches,
            ):
                while waiting and not stop.is_set():
                    now = start + (time.time() - begun) * self.speed
                    batch: list[WorldEvent] = []
                    while waiting and waiting.arrives_at <= now and len(batch) < BATCH_EVENTS:
                        batch.append(waiting)
                        waiting = next(events, None)
                    if not batch:
                        await asyncio.sleep(TICK_SECS)
                        continue
                    numbers = range(self.sent, self.sent + len(batch))
                    ledger.writelines(entry(number, event) for number, event in zip(numbers, batch, strict=True))
                    ledger.flush()
                    self.sent += len(batch)
                    self.unacknowledged.update(numbers)
                    batches.create_task(self.deliver(client, free, numbers, batch))
                    await asyncio.sleep(0)

    async def deliver(
        self, client: httpx.AsyncClient, free: asyncio.Semaphore, numbers: range, events: list[WorldEvent]
    ) -> None:
        """Send a batch until it is acknowledged, as the app does."""
        body = f"[{','.join(json.dumps(event.sent) for event in events)}]".encode()
        async with free:
            while True:
                try:
                    answer = await client.post("/events", content=body, headers={"content-type": "application/json"})
                except httpx.TransportError:
                    await asyncio.sleep(RETRY_SECS)
                    continue
                if answer.status_code not in TRY_AGAIN:
                    answer.raise_for_status()
                    self.unacknowledged.difference_update(numbers)
                    return
                await asyncio.sleep(RETRY_SECS)


def entry(number: int, event: WorldEvent) -> str:
    """Return the line of the ledger for an event."""
    expected = {
        "_number": number,
        "_sent_at": time.time(),
        "_event_at": event.event_at and event.event_at.isoformat(),
        "_merchant_id": event.merchant_id,
    }
    return json.dumps(event.sent | expected) + "\n"
