"""The refusal that every part of reading can raise."""

from __future__ import annotations


class Unvetted(Exception):
    """outgrow does not understand this for certain; the message names the construct.  `bind` makes it an effect."""
