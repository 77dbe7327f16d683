"""What workers meant to do and what they were told: one append-only file per worker.

A line is written before the first statement and after the answer, by a single write(2): what a killed process has
written stays, so after recovery every answer can be held against what the servers have.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Attempt:
    """One transfer: what it should write, and what its worker was told."""

    name: str
    #: (account, amount); the amounts add up to nothing.
    parts: tuple[tuple[int, int], ...]
    #: committed, aborted or unknown; None when the worker did not live to hear it.
    answer: str | None = None
    #: The error's code and words, where there was one.
    said: str = ""
    #: The id that the fleet gave it, where the worker learnt it.
    transaction: str = ""
    #: When it began and when it was answered, by the clock that all processes of a machine share.
    began: float = 0.0
    ended: float = math.inf


@dataclass(slots=True)
class Told:
    """All that the journals say."""

    attempts: dict[str, Attempt] = field(default_factory=dict)
    #: What a worker itself saw that must not be.
    anomalies: list[str] = field(default_factory=list)
    recovered: int = 0


class Journal:
    """The writing end."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def intent(self, name: str, parts: tuple[tuple[int, int], ...]) -> None:
        self._write({"attempt": name, "parts": parts, "at": time.monotonic()})

    def answer(self, name: str, answer: str, said: str = "", transaction: str = "") -> None:
        line = {"attempt": name, "answer": answer, "said": said, "transaction": transaction, "at": time.monotonic()}
        self._write(line)

    def anomaly(self, text: str) -> None:
        self._write({"anomaly": text})

    def _write(self, line: dict[str, Any]) -> None:
        os.write(self._file, json.dumps(line).encode() + b"\n")


class Reader:
    """The reading end of all journals of a directory; each reading goes on where the last one ended."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.told = Told()
        self._read: dict[Path, int] = {}

    def read(self) -> Told:
        for path in sorted(self.directory.glob("*.journal")):
            for line in self._fresh(path):
                self._take(json.loads(line))
        return self.told

    def _fresh(self, path: Path) -> Iterator[bytes]:
        start = self._read.get(path, 0)
        with open(path, "rb") as file:
            file.seek(start)
            content = file.read()
        # A worker may be writing just now.
        whole = content[: content.rfind(b"\n") + 1]
        self._read[path] = start + len(whole)
        yield from whole.splitlines()

    def _take(self, line: dict[str, Any]) -> None:
        if "anomaly" in line:
            self.told.anomalies.append(line["anomaly"])
        elif "parts" in line:
            parts = tuple((account, amount) for account, amount in line["parts"])
            self.told.attempts[line["attempt"]] = Attempt(line["attempt"], parts, began=line["at"])
        else:
            attempt = self.told.attempts[line["attempt"]]
            attempt.answer, attempt.said, attempt.transaction = line["answer"], line["said"], line["transaction"]
            attempt.ended = line["at"]
