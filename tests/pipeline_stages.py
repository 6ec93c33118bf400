"""Pipelines into both kinds of stream, and sources and transforms for them."""

from __future__ import annotations

import asyncio
import bz2
import io
import lzma
import zlib

import pytest

from penstock import pipeline
from penstock.stream import AsyncResponseStream, ResponseStream


@pytest.fixture
def run(kind, moves):
    """Runs a pipeline of the given stages into a stream of the kind under test."""

    def run(*stages):
        if kind == "blocking":
            pipeline(*stages, ResponseStream(moves))
            return

        async def main():
            await pipeline(*stages, AsyncResponseStream(moves))

        asyncio.run(main())

    return run


# Sources. Each gives the same text.

TEXT = b"eins zw\xc3\xb6lf"


def generator():
    yield "eins "
    yield b"zw"
    yield bytearray(b"\xc3")
    yield memoryview(b"\xb6lf")


class Readable:
    """The least that a file object can be."""

    def __init__(self):
        self._left = [b"eins ", b"zw\xc3\xb6lf"]

    def read(self, size):
        return self._left.pop(0) if self._left else b""


class Iterable:
    def __iter__(self):
        return generator()


SOURCES = {
    "str": lambda folder: "eins zwölf",
    "bytes": lambda folder: TEXT,
    "bytearray": lambda folder: bytearray(TEXT),
    "memoryview": lambda folder: memoryview(TEXT),
    "list": lambda folder: ["eins ", b"zw", "ölf"],
    "tuple": lambda folder: (TEXT,),
    "generator": lambda folder: generator(),
    "map": lambda folder: map(str.lower, ["EINS ", "ZWÖLF"]),
    "iterable": lambda folder: Iterable(),
    "binary file": lambda folder: open(folder / "file", "rb"),  # noqa: SIM115 - pipeline closes
    "unbuffered file": lambda folder: open(folder / "file", "rb", buffering=0),  # noqa: SIM115
    "text file": lambda folder: open(folder / "file", encoding="utf-8"),  # noqa: SIM115
    "BytesIO": lambda folder: io.BytesIO(TEXT),
    "StringIO": lambda folder: io.StringIO("eins zwölf"),
    "readable": lambda folder: Readable(),
}


async def async_generator():
    for item in generator():
        await asyncio.sleep(0)
        yield item


class AwaitedReadable(Readable):
    async def read(self, size):
        await asyncio.sleep(0)
        return super().read(size)


class ReadableAndIterable(AwaitedReadable):
    """As `asyncio.StreamReader`, which iterates by lines."""

    def __aiter__(self):
        raise AssertionError("a file object is read in blocks, not by lines")


AWAITED_SOURCES = {
    "async generator": async_generator,
    "awaited readable": AwaitedReadable,
    "stream reader": ReadableAndIterable,
}


# Transforms. Each comes with what undoes it.


def upper(chunks):
    for chunk in chunks:
        yield chunk.upper()


def exclaim(chunks):
    yield from chunks
    yield "!"


def awaited(transform):
    """The async generator function that does what a generator function does."""

    async def changed(chunks):
        for item in transform([chunk async for chunk in chunks]):
            yield item

    return changed


def gzip(kind):
    return zlib.compressobj(wbits=31)


def function(transform):
    return lambda kind: transform if kind == "blocking" else awaited(transform)


TRANSFORMS = {
    "none": ([], TEXT, lambda body: body),
    "gzip": ([gzip], TEXT, lambda body: zlib.decompress(body, wbits=31)),
    "bz2": ([lambda kind: bz2.BZ2Compressor()], TEXT, bz2.decompress),
    "lzma": ([lambda kind: lzma.LZMACompressor()], TEXT, lzma.decompress),
    "function": ([function(upper)], b"EINS ZW\xc3\xb6LF", lambda body: body),
    "two functions": (
        [function(upper), function(exclaim)],
        b"EINS ZW\xc3\xb6LF!",
        lambda body: body,
    ),
    "function, then gzip": (
        [function(exclaim), gzip],
        TEXT + b"!",
        lambda body: zlib.decompress(body, wbits=31),
    ),
}
