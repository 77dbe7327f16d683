"""What a saga is made of: steps as data plus functions.  Nothing here runs anything."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from outgrow.transactions.saga import failures

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)

#: How long a process may be silent before another one goes on with its sagas.
LEASE_SECONDS = 15.0


class Rejected(Exception):
    """Raised by a step: it has done nothing, and trying again is of no use.  What was done before is compensated."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often something is tried, and how long it rests in between: twice as long each time, give or take half."""

    tries: int = 5
    first_seconds: float = 0.1
    longest_seconds: float = 60.0

    def rest_seconds(self, failed: int, chance: float) -> float:
        """Behind so many failures; `chance` is between 0 and 1."""
        return min(self.longest_seconds, self.first_seconds * 2.0 ** min(failed - 1, 60)) * (0.5 + chance)


#: A compensation is never given up: after these tries the saga is called stuck, and it is tried once an hour.
PATIENT = Retry(tries=20)


@dataclass(frozen=True, slots=True)
class SagaContext:
    """What a step or a compensation is told."""

    saga: UUID
    #: The idempotency key of the saga, as the application gave it.
    key: str
    input: Any
    #: What the steps before have returned, by their names, as JSON has it.
    results: Mapping[str, Any]
    step: str
    #: 1, 2, …: another try may have done its work without anybody knowing.
    attempt: int
    #: The same in every attempt, and another one for every step: hand it to services that know such keys.
    idempotency_key: str
    #: For a compensation: what its step returned; None also where nobody knows whether it has done anything.
    result: Any = None
    #: For a compensation: what went wrong.
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    function: Function
    #: None: there is nothing to undo.
    compensate: Function | None
    retry: Retry
    compensate_retry: Retry
    timeout_seconds: float | None
    #: It works inside a domain, in a transaction that has a mark with its rows.
    transaction: bool = False
    domain: str | None = None
    #: Where its mark lies: the shard of this table's row with this key; without them the domain's home shard.
    on: str | None = None
    key: Callable[[SagaContext], Any] | None = None


class _Missing:
    """No compensation was named."""


_MISSING: Any = _Missing()


class Saga:
    """A definition: a name, a version, and steps in their order.

        order = Saga("create_order", version=1)

        @order.step(compensate=refund)
        def charge(ctx): ...

        @order.transaction(on="stock", key=lambda ctx: ctx.input["product"], compensate=put_back)
        def reserve(ctx, session): ...

    A `step` acts on the world outside and is run at least once.  A `transaction` is given a session, and what it writes
    is there exactly once.  Both may be plain or `async` functions, and return what JSON can hold.
    """

    def __init__(
        self,
        name: str,
        *,
        version: int = 1,
        deadline_seconds: float | None = None,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        if not isinstance(name, str) or not name or "\0" in name:
            raise failures.wrong_definition(repr(name), "a saga needs a name")
        if isinstance(version, bool) or not isinstance(version, int) or not 0 <= version < 2**31:
            raise failures.wrong_definition(name, f"its version is a whole number, not {version!r}")
        if not lease_seconds > 0:
            raise failures.wrong_definition(name, f"a lease of {lease_seconds!r} seconds is none")
        self.name = name
        self.version = version
        #: No step begins later than this after the start; then everything is compensated.
        self.deadline_seconds = deadline_seconds
        self.lease_seconds = lease_seconds
        self._steps: list[Step] = []
        self._used = False

    def step(
        self,
        *,
        compensate: Function | None = _MISSING,
        retry: Retry | None = None,
        compensate_retry: Retry = PATIENT,
        timeout_seconds: float | None = None,
    ) -> Callable[[F], F]:
        """The next step, on the world outside: `function(ctx)`.  `compensate=None`: nothing is to be undone."""

        def declared(function: F) -> F:
            self._add(
                Step(
                    self._named(function),
                    function,
                    self._checked(function, compensate),
                    retry or Retry(),
                    compensate_retry,
                    timeout_seconds,
                )
            )
            return function

        return declared

    def transaction(
        self,
        *,
        compensate: Function | None = _MISSING,
        domain: str | None = None,
        on: str | None = None,
        key: Callable[[SagaContext], Any] | None = None,
        retry: Retry | None = None,
        compensate_retry: Retry = PATIENT,
        timeout_seconds: float | None = None,
    ) -> Callable[[F], F]:
        """The next step, inside a domain: `function(ctx, session)`, in one transaction with its mark.

        The mark lies where the row of table `on` with that `key` lies, so that a step on one shard commits there
        alone; without them on the domain's home shard.
        """

        def declared(function: F) -> F:
            name = self._named(function)
            if key is not None and on is None:
                raise failures.wrong_definition(self.name, f"the step {name} has a key and names no table (on=…)")
            self._add(
                Step(
                    name,
                    function,
                    self._checked(function, compensate),
                    retry or Retry(),
                    compensate_retry,
                    timeout_seconds,
                    True,
                    domain,
                    on,
                    key,
                )
            )
            return function

        return declared

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(self._steps)

    @property
    def shape(self) -> str:
        """What must not change under sagas that run: the steps, their order and kind, and which are compensated."""
        return ", ".join(
            f"{step.name} ({'transaction' if step.transaction else 'step'}{', final' * (step.compensate is None)})"
            for step in self._steps
        )

    def settled(self) -> tuple[Step, ...]:
        """The steps, to which none can be added from now on."""
        if not self._steps:
            raise failures.wrong_definition(self.name, "it has no steps")
        self._used = True
        return tuple(self._steps)

    def __repr__(self) -> str:
        return f"<Saga {self.name} version {self.version}: {self.shape}>"

    @staticmethod
    def _named(function: Function) -> str:
        return str(getattr(function, "__name__", function))

    def _checked(self, function: Function, compensate: Function | None) -> Function | None:
        if compensate is _MISSING:
            raise failures.compensation_missing(self.name, self._named(function))
        return compensate

    def _add(self, step: Step) -> None:
        if self._used:
            raise failures.wrong_definition(self.name, f"the step {step.name} comes after the saga was first used")
        if any(other.name == step.name for other in self._steps):
            raise failures.wrong_definition(self.name, f"two steps are called {step.name}")
        if step.retry.tries < 1 or step.compensate_retry.tries < 1:
            raise failures.wrong_definition(self.name, f"the step {step.name} is tried at least once (Retry.tries)")
        for function in (step.function, step.compensate):
            if function is not None:
                self._check_takes(function, 2 if step.transaction else 1)
        self._steps.append(step)

    def _check_takes(self, function: Function, count: int) -> None:
        try:
            inspect.signature(function).bind(*range(count))
        except TypeError as error:
            wanted = "(ctx, session)" if count == 2 else "(ctx)"
            raise failures.wrong_definition(
                self.name, f"{self._named(function)} cannot be called with {wanted}: {error}"
            ) from error
        except ValueError:
            # Some built-in functions do not tell.
            return
