"""What a relay can deliver to: brokers, each behind `transactions.outbox.Target`.

Their libraries are extras (`outgrow[redis]`, `outgrow[nats]`), imported when a target first connects.
"""

from outgrow.targets.addresses import target_at
from outgrow.targets.jetstream import JetStream
from outgrow.targets.redis_stream import RedisStream
from outgrow.transactions.outbox import Refused, Target, Unavailable, Untried

__all__ = ["JetStream", "RedisStream", "Refused", "Target", "Unavailable", "Untried", "target_at"]
