"""The benches' own arithmetic: medians, ratios the right way round, rotation, missing peers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

pytest.importorskip("rich")
harness = pytest.importorskip("bench.harness", reason="benches are run from the working copy")


def test_ratio_is_theirs_over_ours() -> None:
    figures = harness.Figures({"ours": [1.0, 2.0, 30.0], "peer": [4.0, 3.0, 5.0]}, {"gone": "not here"})
    assert figures.median("ours") == 2.0
    assert figures.times("peer", "ours") == 2.0
    assert figures.added("ours", "peer") == -2.0
    assert figures.times("gone", "ours") is None
    assert figures.medians() == {"ours": 2.0, "peer": 4.0, "gone": None}


def test_every_peer_gets_the_same_keys_in_a_rotating_order() -> None:
    order: list[str] = []
    asked: dict[str, list[list[int]]] = {}

    def peer(name: str) -> harness.Peer:
        def block(keys: list[int]) -> float:
            order.append(name)
            asked.setdefault(name, []).append(list(keys))
            return 1e-6 * len(keys)

        return harness.Peer(name, lambda _: block)

    def missing(_: ExitStack) -> harness.Block:
        raise harness.Missing("no such program")

    with ExitStack() as stack:
        opened = harness.open_peers([peer("a"), peer("b"), peer("c"), harness.Peer("d", missing)], stack)
        figures = harness.measure(opened, range(10), rounds=3, calls=4, warm=2)
    assert order == ["a", "b", "c", "a", "b", "c", "b", "c", "a", "c", "a", "b"]
    assert asked["a"] == asked["b"] == asked["c"] == [[0, 1], [0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 1]]
    assert figures.median("a") == pytest.approx(1.0)
    assert figures.missing == {"d": "no such program"}


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no pinning on this system")
def test_pinning_reaches_children_and_is_undone() -> None:
    before = os.sched_getaffinity(0)
    core = min(before)
    program = "import subprocess,sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    parent = subprocess.Popen([sys.executable, "-c", program])
    try:
        until = time.monotonic() + 20
        while len(found := harness.with_descendants([parent.pid])) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        assert len(found) == 2
        with harness.pinned([parent.pid], client=core, server=core):
            assert all(os.sched_getaffinity(pid) == {core} for pid in [os.getpid(), *found])
        assert all(os.sched_getaffinity(pid) == before for pid in [os.getpid(), *found])
    finally:
        for pid in reversed(found):
            os.kill(pid, 9)
        parent.wait()


def test_fewer_than_five_rounds_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        harness.arguments("A bench.", rounds=5, calls=1).parse_args(["--rounds", "4"])
    assert "at least 5" in capsys.readouterr().err
