"""What relays deliver, as measures: how many messages, and how old they were when their target had them."""

from __future__ import annotations

from opentelemetry.metrics import Meter

from outgrow.events import MessagesDelivered

#: From a call that is answered at once to a target that was down for a day (seconds).
_BUCKETS_SECONDS = (0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 300, 3600, 86400)


class Deliveries:
    """What `Telemetry` hands the events of relays to."""

    def __init__(self, meter: Meter) -> None:
        self._messages = meter.create_counter(
            "outgrow.outbox.messages", "{message}", "Messages that relays have given to their targets."
        )
        self._ages = meter.create_histogram(
            "outgrow.outbox.age",
            unit="s",
            description="The age of the oldest message of each batch that was delivered.",
            explicit_bucket_boundaries_advisory=_BUCKETS_SECONDS,
        )

    def tell(self, event: MessagesDelivered) -> None:
        common = {"outgrow.domain": event.domain, "outgrow.shard": event.shard, "outgrow.topic": event.topic}
        if event.delivered:
            self._messages.add(event.delivered, {**common, "outgrow.outcome": "delivered"})
            self._ages.record(event.oldest_seconds, common)
        if event.refused:
            self._messages.add(event.refused, {**common, "outgrow.outcome": "refused"})
