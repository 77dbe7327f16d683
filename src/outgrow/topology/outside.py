"""What a file may refer to: environment variables, other files, what commands print; read once, when it is read."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from outgrow.topology.marks import Spot

#: How long a command may take that prints a secret.
_COMMAND_SECONDS = 30.0

_REFERENCE = re.compile(r"\$(?:\$|\{([^{}]*)\}|)")


@dataclass(slots=True)
class Outside:
    """What a file may refer to; and where each address was first used."""

    environment: Mapping[str, str]
    folder: Path
    seen: dict[tuple[str, str, str], tuple[str, int]] = field(default_factory=dict)

    def variable(self, spot: Spot, name: str) -> str:
        value = self.environment.get(name) if name else None
        if not value:
            spot.fail("OG-TOPO-017", f"the environment variable {name!r} is not set", "set it, or correct its name")
        return value

    def content(self, spot: Spot, name: str) -> str:
        try:
            return (self.folder / Path(name).expanduser()).read_text(encoding="utf-8").strip("\r\n")
        except (OSError, ValueError, RuntimeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            spot.fail("OG-TOPO-018", f"the file {name!r} cannot be read: {why}", "check the path and who may read it")
        raise AssertionError

    def said(self, spot: Spot, command: list[str]) -> str:
        """What a program prints; it is run without a shell, once, when the file is read."""
        try:
            ran = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_COMMAND_SECONDS,
                check=False,
                cwd=self.folder,
                env=dict(self.environment),
            )
            why = f"exit code {ran.returncode}" if ran.returncode else "" if ran.stdout.strip("\r\n") else "no output"
        except subprocess.TimeoutExpired:
            why = f"no end within {_COMMAND_SECONDS:g} s"
        except (OSError, ValueError, IndexError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or "it cannot be run"
        # Never what it printed: that may be the secret.
        if why:
            program = command[0] if command else ""
            spot.fail("OG-TOPO-027", f"the command {program!r} gave no secret: {why}", "run it by hand as this user")
        return ran.stdout.strip("\r\n")


def referred(spot: Spot, outside: Outside) -> str:
    """`{env: NAME}`, `{file: PATH}` or `{command: [PROGRAM, ARGUMENT, …]}`."""
    if not spot.is_mapping():
        spot.fail(
            "OG-TOPO-005",
            f"{spot.path} is {spot.kind()}",
            "write {env: NAME} or {file: PATH}: secrets stay out of here",
        )
    fields = spot.fields(("env", "file", "command"))
    if len(fields) != 1:
        spot.fail(
            "OG-TOPO-020",
            f"{spot.path} needs exactly one of env, file and command",
            "write {env: NAME}, {file: PATH} or {command: [PROGRAM, ARGUMENT]}",
        )
    [(kind, where)] = fields.items()
    if kind == "command":
        return outside.said(where, [item.text() for item in where.items()] if where.is_list() else [where.text()])
    return outside.variable(where, where.text()) if kind == "env" else outside.content(where, where.text())


def expanded(spot: Spot, text: str, outside: Outside) -> str:
    """`${NAME}` becomes that environment variable, `$$` a dollar sign."""

    def one(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        if match[1] is None:
            spot.fail(
                "OG-TOPO-017",
                "a lone $ in an address",
                "write ${NAME} for an environment variable, $$ for a dollar sign",
            )
        return outside.variable(spot, match[1])

    return _REFERENCE.sub(one, text)
