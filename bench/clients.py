"""Several clients at once: processes, each with its own connections to every peer.

Processes and not threads, because Python's lock would make the peers wait for each other's arithmetic, and because an
application with eight busy connections has several processes too.
"""

from __future__ import annotations

import multiprocessing
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from bench.harness import Block, Missing, Opened

#: Opens a peer in the process that uses it; gives what makes one call.
Opener = Callable[[ExitStack, Any], Callable[[Any], object]]


@dataclass(frozen=True, slots=True)
class Client:
    process: Any
    pipe: Connection

    def ask(self, message: object) -> Any:
        self.pipe.send(message)
        return self.answer()

    def answer(self) -> Any:
        answer = self.pipe.recv()
        if isinstance(answer, str):
            raise SystemExit(f"a client failed:\n{answer}")
        return answer


@contextmanager
def clients(count: int, openers: Mapping[str, Opener], place: Any) -> Iterator[Opened]:
    """`count` processes that have opened all the peers; a block's keys are dealt out among them."""
    context = multiprocessing.get_context("fork")
    started: list[Client] = []
    try:
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, openers, place), daemon=True)
            process.start()
            theirs.close()
            started.append(Client(process, ours))
        missing: dict[str, str] = {}
        for client in started:
            missing |= client.answer()
        blocks = {name: _block(started, name) for name in openers if name not in missing}
        yield Opened(blocks, missing)
    finally:
        for client in started:
            # Closing would not tell it: the clients forked after it hold our end of its pipe too.
            with suppress(OSError):
                client.pipe.send(None)
            client.pipe.close()
        for client in started:
            client.process.join(10)
            if client.process.is_alive():
                client.process.kill()


def _block(started: Sequence[Client], name: str) -> Block:
    def block(keys: Sequence[Any]) -> float:
        for number, client in enumerate(started):
            client.pipe.send((name, keys[number :: len(started)]))
        ready = [client.answer() for client in started]
        assert all(ready)
        start = time.perf_counter()
        for client in started:
            client.pipe.send(True)
        for client in started:
            client.answer()
        return time.perf_counter() - start

    return block


def serve(pipe: Connection, openers: Mapping[str, Opener], place: Any) -> None:
    """One client, until it is sent None."""
    try:
        with ExitStack() as stack:
            calls = {}
            missing = {}
            for name, opener in openers.items():
                try:
                    calls[name] = opener(stack, place)
                except (Missing, ImportError) as error:
                    missing[name] = str(error)
            pipe.send(missing)
            while True:
                asked = pipe.recv()
                if asked is None:
                    return
                name, keys = asked
                call = calls[name]
                pipe.send(True)
                pipe.recv()
                for key in keys:
                    call(key)
                pipe.send(True)
    except BaseException:
        pipe.send(traceback.format_exc())
