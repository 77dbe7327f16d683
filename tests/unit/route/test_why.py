"""Every reason that a choice can have has a code, and the documentation explains each."""

from __future__ import annotations

from pathlib import Path

from outgrow.route import WHY, choice

PAGE = Path(__file__).parents[3] / "docs" / "observing.md"


def test_every_sentence_has_a_code_of_its_own() -> None:
    sentences = {value for name, value in vars(choice).items() if name.startswith("_") and name.isupper()}
    assert sentences == set(WHY)
    assert len(set(WHY.values())) == len(WHY)


def test_every_code_is_documented() -> None:
    page = PAGE.read_text()
    assert [code for code in WHY.values() if f"`{code}`" not in page] == []
