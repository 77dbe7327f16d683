"""PostgreSQL's seeded 64-bit hash of bytes and of 32-bit words, one value at a time.

Source: `src/common/hashfn.c` of PostgreSQL (`hash_bytes_extended`, `hash_bytes_uint32_extended`), which is Bob
Jenkins' lookup3 of 2006 with a seed.  The seed is always the one that hash partitioning uses, so the part of the
work that depends only on the seed and the length is done beforehand.

Arithmetic is modulo 2**32 on Python's unbounded integers.  A sum or difference needs its low 32 bits only when it is
about to be rotated, so a mask stands only there; `x * DOUBLED >> 32 - k` is `x` rotated left by `k` below bit 32,
with rubbish above it that the next mask removes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from struct import Struct

#: `HASH_PARTITION_SEED` of partbounds.h.
SEED = 0x7A5B22367996DCFD
#: The constant of `hash_combine64` in hashfn.h.
COMBINE = 0x49A0F4DD15E5A8E3

MASK32 = 0xFFFFFFFF
MASK64 = 0xFFFFFFFFFFFFFFFF
DOUBLED = 0x100000001
#: What fills `n` bytes up to twelve.
PADDING = tuple(bytes(12 - n) for n in range(12))

State = tuple[int, int, int]
_words = Struct("<3I")


def _rotate(x: int, k: int) -> int:
    return (x << k | x >> (32 - k)) & MASK32


def seeded(length: int) -> State:
    """The internal state after the length and the seed, before the first byte."""
    start = (0x9E3779B9 + length + 3923095) & MASK32
    a, b, c = (start + (SEED >> 32)) & MASK32, (start + SEED) & MASK32, start
    for k in (4, 6, 8, 16, 19, 4):
        a = ((a - c) ^ _rotate(c, k)) & MASK32
        c = (c + b) & MASK32
        # The six lines of the original's mix() are one line with its variables in turn.
        a, b, c = b, c, a
    return a, b, c


#: Longer values compute their state on the way.
SEEDED = tuple(seeded(length) for length in range(256))


def _final(a: int, b: int, c: int) -> int:
    """The original's final(); returns the 64-bit hash."""
    for k in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - _rotate(b, k)) & MASK32
        a, b, c = b, c, a
    # Seven turns have moved the names on by one.
    return a << 32 | b


def hash_int(value: int) -> int:
    """`hashint8extended`; also int2, int4, boolean, and every type that is an integer inside (date, timestamp)."""
    a, b, c = SEEDED[4]
    return _final((a + (value ^ value >> 32 ^ value >> 63)) & MASK32, b, c)


def hash_bytes(data: bytes) -> int:
    """`hash_any_extended`, as on a little-endian server."""
    a, b, c = SEEDED[len(data)] if len(data) < 256 else seeded(len(data))
    tail = len(data) % 12
    for at in range(0, len(data) - tail, 12):
        x, y, z = _words.unpack_from(data, at)
        a, b, c = (a + x) & MASK32, (b + y) & MASK32, (c + z) & MASK32
        for k in (4, 6, 8, 16, 19, 4):
            a = ((a - c) ^ _rotate(c, k)) & MASK32
            c = (c + b) & MASK32
            a, b, c = b, c, a
    if tail:
        x, y, z = _words.unpack(data[len(data) - tail :] + PADDING[tail])
        # The lowest byte of c is kept for the length.
        a, b, c = (a + x) & MASK32, (b + y) & MASK32, (c + (z << 8)) & MASK32
    return _final(a, b, c)


@functools.cache
def int_slot(mask: int) -> Callable[[tuple[int | None, ...]], int]:
    """The slot of a key of one integer, unrolled for speed: only the low bits of the hash are computed.

    `mask` is slots - 1, at most 65535.
    """
    a0, b0, c0 = SEEDED[4]
    # The first two lines of final() do not depend on the value.
    c1 = ((c0 ^ b0) - _rotate(b0, 14)) & MASK32
    turned = _rotate(c1, 11)
    combine = COMBINE & mask

    # Names bound as defaults are locals: that is measurable here.  The two parts of a rotation are subtracted one after
    # the other, modulo 2**32 the same as together; of the last b only 24 bits count.
    def slot(
        key: tuple[int | None, ...],
        M: int = MASK32,
        a0: int = a0,
        b0: int = b0,
        c1: int = c1,
        turned: int = turned,
        combine: int = combine,
        mask: int = mask,
    ) -> int:
        value = key[0]
        if value is None:
            return 0
        if value > M:
            value ^= value >> 32
        elif value < 0:
            value = ~(value ^ value >> 32)
        a = (a0 + value & M ^ c1) - turned & M
        b = (b0 ^ a) - (a << 25) - (a >> 7) & M
        c = (c1 ^ b) - (b << 16) - (b >> 16) & M
        a = (a ^ c) - c * 16 - (c >> 28) & M
        b = (b ^ a) - (a * 16384 & 0xFFFFFF) - (a >> 18)
        return (c ^ b) - (b >> 8) + combine & mask

    return slot


@functools.cache
def text_slot(mask: int) -> Callable[[tuple[str | None, ...]], int]:
    """The slot of a key of one text, unrolled for speed; see `int_slot`."""
    combine = COMBINE & mask

    def slot(
        key: tuple[str | None, ...],
        M: int = MASK32,
        K: int = DOUBLED,
        states: tuple[State, ...] = SEEDED,
        unpack_from: Callable[[bytes, int], tuple[int, ...]] = _words.unpack_from,
    ) -> int:
        value = key[0]
        if value is None:
            return 0
        data = value.encode()
        left = len(data)
        a, b, c = states[left] if left < 256 else seeded(left)
        at = 0
        while left >= 12:
            x, y, z = unpack_from(data, at)
            c = c + z & M
            b += y
            a = (a + x - c ^ c * K >> 28) & M
            c += b
            b = (b - a ^ a * K >> 26) & M
            a += c
            c = (c - b ^ b * K >> 24) & M
            b += a
            a = (a - c ^ c * K >> 16) & M
            c += b
            b = (b - a ^ a * K >> 13) & M
            a += c
            c = (c - b ^ b * K >> 28) & M
            b = b + a & M
            at += 12
            left -= 12
        if left:
            x, y, z = _words.unpack(data[at:] + PADDING[left])
            a += x
            b = b + y & M
            c = c + (z << 8) & M
        c = ((c ^ b) - (b * K >> 18)) & M
        a = ((a ^ c) - (c * K >> 21)) & M
        b = ((b ^ a) - (a * K >> 7)) & M
        c = ((c ^ b) - (b * K >> 16)) & M
        a = ((a ^ c) - (c * K >> 28)) & M
        b = (b ^ a) - (a * K >> 18)
        return ((c ^ b) - (b >> 8) + combine) & mask

    return slot
