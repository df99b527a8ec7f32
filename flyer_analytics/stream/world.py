"""A seeded world of people who read flyers, as an endless stream of events.

Its distributions are those of `flyer_analytics.generate`, which writes whole days. This one is for events that arrive
while it runs: as many at a time as `rate` says, from the first second on.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from heapq import heapify, heapreplace
from itertools import count, pairwise
from random import Random
from zoneinfo import ZoneInfo

from flyer_analytics.generate import (
    EVENT_SHARES,
    EVENTS,
    EVENTS_PER_VISIT,
    GAP_SECS,
    LATE_SECS,
    LATE_SHARE,
    NULL_MERCHANTS,
    REPEAT_EVERY,
    UNUSABLE_EVERY,
)

# Between any two neighbours of a curve a draw falls with equal probability.
GAPS, DELAYS = ([*pairwise(map(float, curve))] for curve in (GAP_SECS, LATE_SECS))
ZONE = ZoneInfo("America/Toronto")
FLYERS = 2000
FLYERS_OF_A_MERCHANT = 3
VISITS_PER_USER = 2
NULL_MERCHANT_EVERY = 400
UNUSABLE: tuple[dict[str, str | None], ...] = (
    {"event": "video_play"},
    {"user_id": "null"},
    {"timestamp": "2018-02-30T12:00:00Z"},
    {"timestamp": "1970-01-01T00:00:00Z"},
    {"timestamp": "2099-12-31T23:59:59Z"},
)


@dataclass(frozen=True)
class WorldEvent:
    """One event as the app sends it, and what cleansing must make of it."""

    arrives_at: float
    """Seconds since 1970."""
    sent: dict[str, str | None]
    event_at: datetime | None
    """UTC; None if the event is to be rejected."""
    merchant_id: str | None

    def json(self) -> str:
        return json.dumps(self.sent, separators=(",", ":"))


@dataclass
class Visit:
    """A user's visit: which flyer is open, and how many events are left."""

    user_id: str
    left: int
    flyer: int = 0


def world(seed: int, rate: float, start: float) -> Iterator[WorldEvent]:
    """Yield events in the order of their arrival, on average ``rate`` a second, from ``start`` (seconds since 1970) on.

    The same seed, rate and start give the same events.
    """
    random = Random(seed)
    middles = [(low + high) / 2 for low, high in GAPS]
    readers = max(1, round(rate * sum(middles) / len(middles)))
    users = readers * VISITS_PER_USER
    visits = [new_visit(random, seed, users) for _ in range(readers)]
    # Long gaps are under way more often than short ones, in proportion to their length.
    under_way = random.choices(GAPS, middles, k=readers)
    queue = [(start + random.random() * random.uniform(*gap), reader) for reader, gap in enumerate(under_way)]
    heapify(queue)
    repeated: WorldEvent | None = None
    for number in count(1):
        arrives_at, reader = queue[0]
        visit = visits[reader]
        event = draw_event(random, visit, arrives_at, number)
        yield event
        if repeated and number % REPEAT_EVERY == 0:
            yield WorldEvent(arrives_at, repeated.sent, repeated.event_at, repeated.merchant_id)
        repeated = event
        visit.left -= 1
        if not visit.left:
            visits[reader] = new_visit(random, seed, users)
        heapreplace(queue, (arrives_at + random.uniform(*random.choice(GAPS)), reader))


def new_visit(random: Random, seed: int, users: int) -> Visit:
    """Begin the visit of a random user; some users come much more often than others."""
    user = int(users * random.random() ** 2)
    return Visit(
        user_id=sha256(f"{seed}:{user}".encode()).hexdigest(),
        left=1 + min(100, int(random.expovariate(1 / (EVENTS_PER_VISIT - 0.5)))),
    )


def draw_event(random: Random, visit: Visit, arrives_at: float, number: int) -> WorldEvent:
    """Draw the next event of a visit. ``number`` decides which events are unusable, as in generated files."""
    event = random.choices(EVENTS, EVENT_SHARES)[0]
    happened_at = arrives_at - random.uniform(0, 1)
    if random.random() < LATE_SHARE:
        happened_at -= random.uniform(*random.choice(DELAYS))
    # To the microsecond: of two events of a user at one instant, the one that is delivered first comes first.
    at = datetime.fromtimestamp(happened_at, UTC)
    if event == "flyer_open" or not visit.flyer:
        visit.flyer = 1 + int(FLYERS * random.random() ** 3)
    shows = event in ("flyer_open", "item_open", "favorite")
    merchant_id = str(6000 + visit.flyer // FLYERS_OF_A_MERCHANT) if shows else None
    sent = {
        "timestamp": at.astimezone(ZONE).isoformat(timespec="microseconds"),
        "user_id": visit.user_id,
        "event": event,
        "flyer_id": str(3_000_000 + visit.flyer) if shows and event != "favorite" else None,
        "merchant_id": merchant_id,
    }
    if number % NULL_MERCHANT_EVERY == 0 and shows:
        merchant_id = None
        sent["merchant_id"] = NULL_MERCHANTS[number // NULL_MERCHANT_EVERY % len(NULL_MERCHANTS)]
    if number % UNUSABLE_EVERY == 0:
        return WorldEvent(arrives_at, sent | UNUSABLE[number // UNUSABLE_EVERY % len(UNUSABLE)], None, None)
    return WorldEvent(arrives_at, sent, at.replace(tzinfo=None), merchant_id)
