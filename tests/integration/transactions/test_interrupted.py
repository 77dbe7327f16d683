"""Ctrl-C and a cancelled task at every wait of a commit: all of it is there, or nothing, and the session goes on."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from outgrow import Fleet
from outgrow.nodes import drive
from outgrow.waits import Steps
from tests.integration.transactions.coordinators import UPDATE
from tests.integration.transactions.test_commit import amounts, at_rest
from tests.integration.transactions.test_killed import recovered
from tests.servers import Servers


def interrupted_steps(steps: Steps[None], at: int, interruption: BaseException) -> Steps[bool]:
    """`steps`, with `interruption` thrown in at this wait, behind what was sent; whether it came so far."""
    past = 0
    wait = steps.send(None)
    while True:
        ready = yield wait
        try:
            if past == at:
                past = -1
                wait = steps.throw(interruption)
            else:
                past += past >= 0
                wait = steps.send(ready)
        except StopIteration:
            return past < 0


@pytest.mark.parametrize("kind", [KeyboardInterrupt, asyncio.CancelledError])
def test_an_interruption_at_every_wait(
    fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers, kind: type[BaseException]
) -> None:
    at = amounts(fleet, keys)
    ends = []
    with fleet.session() as session:
        for wait in range(12):
            session.execute("BEGIN")
            session.execute(UPDATE, [-1, keys[0]])
            session.execute(UPDATE, [1, keys[1]])
            came = True
            with suppress(kind):
                came = drive(interrupted_steps(session._conversation.commit_steps(), wait, kind()))
            assert at_rest(fleet)
            # What the session reads next waits for what it has committed.
            seen = [
                session.execute("SELECT amount FROM accounts WHERE account = %s", [key]).fetchall()[0][0]
                for key in keys
            ]
            recovered(fleet, fleet_servers)
            assert seen == amounts(fleet, keys) and seen in ([at[0] - 1, at[1] + 1], at), (wait, at, seen)
            if seen != at:
                assert session.last_transaction is not None
                assert fleet.outcome(session.last_transaction) == "committed"
            ends.append(seen != at)
            at = seen
            if not came:
                break
        else:
            pytest.fail("a commit does not wait so often")
    assert not ends[0] and ends[-1]


def test_a_cancelled_task(fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers) -> None:
    """As an application does it, again and again at some moment."""

    async def transfers() -> int:
        done = 0
        async with fleet.async_session() as session:
            for turn in range(30):

                async def transfer() -> None:
                    async with session.transaction():
                        await session.execute(UPDATE, [-1, keys[0]])
                        await session.execute(UPDATE, [1, keys[1]])

                before = amounts(fleet, keys)
                task = asyncio.create_task(transfer())
                await asyncio.sleep(0.0004 * turn)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                recovered(fleet, fleet_servers)
                after = amounts(fleet, keys)
                assert after in (before, [before[0] - 1, before[1] + 1])
                done += after != before
        return done

    assert asyncio.run(transfers()) < 30
    assert at_rest(fleet)
