"""Captions: text as rows of word numbers, and folders of images with a file of captions beside each.

A row is (L,) int32: word k of the vocabulary is k + 1, and 0 follows the last word. Words are what is left of a text in
small letters without punctuation.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zerosum.data import archive, transforms
from zerosum.data.archive import File
from zerosum.data.dataset import Skipped
from zerosum.data.forms import Arranged, Form, held_of, split_of
from zerosum.errors import UserError, nearest

Rows = npt.NDArray[np.int32]

MOST = 10  # captions of an image that are used
LONGEST = 40  # words of a row: longer captions are cut
LARGEST = 10_000  # words of a vocabulary: of more, the most frequent ones
TEXT_BYTES = 2**20  # of a file of captions
TYPED = 1_000  # characters of a text that a user may write
SHOWN = 60  # characters of a text that an error line shows
CAPTIONED = b"captions\0"  # begins the bytes of an image with its captions
PLACES = {"images", "image", "jpg", "text", "texts", "captions", "text_c10"}  # folders that hold one of the two kinds


def words_of(text: str) -> list[str]:
    """The words of a text, in small letters; an apostrophe inside a word belongs to it."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.lower())


@dataclass(frozen=True)
class Vocabulary:
    """The words that a data set's captions are made of, and how many of them a row has room for."""

    words: tuple[str, ...]
    length: int

    @classmethod
    def of(cls, captions: Sequence[Sequence[str]]) -> Vocabulary:
        """Of texts, the captions of each image: up to 10,000 words, and rows of up to 40."""
        counts: Counter[str] = Counter()
        longest = 1
        for texts in captions:
            for text in texts:
                found = words_of(text)
                counts.update(found)
                longest = max(longest, min(len(found), LONGEST))
        kept = sorted(counts, key=lambda word: (-counts[word], word))[:LARGEST]
        return cls(tuple(sorted(kept)), longest)

    def rows(self, captions: Sequence[Sequence[str]], each: int) -> Rows:
        """(N, each, L): each image's captions in turn; unknown words are left out, and what is too long is cut."""
        number = {word: index + 1 for index, word in enumerate(self.words)}
        found = np.zeros((len(captions), each, self.length), np.int32)
        for row, texts in zip(found, captions, strict=True):
            known = [[number[word] for word in words_of(text) if word in number][: self.length] for text in texts]
            for place in range(each):
                one = known[place % len(known)]
                row[place, : len(one)] = one
        return found

    def row(self, text: str) -> npt.NDArray[np.int64]:
        """(L,): a text as a user writes it; `UserError` for an empty or too long one, and for words nobody learned."""
        if len(text) > TYPED:
            raise UserError(f"the text has {len(text):,} characters; expected at most {TYPED:,}: say less")
        words = words_of(text)
        if not words:
            raise UserError(
                f"the text {text[:SHOWN]!r} has no word; expected some such as: {', '.join(self.words[:8])}"
            )
        if unknown := [word for word in dict.fromkeys(words) if word not in self.words]:
            told = "; ".join(f"{word[:SHOWN]!r}, {nearest(word[:SHOWN], self.words)}" for word in unknown[:3])
            raise UserError(f"the captions that this run learned from don't have {told}")
        if len(words) > self.length:
            raise UserError(
                f"the text has {len(words)} words, and this run learned from at most {self.length}: say less"
            )
        row: npt.NDArray[np.int64] = self.rows([[text]], 1)[0, 0].astype(np.int64)
        return row

    def text(self, row: npt.NDArray[np.integer]) -> str:
        """The words of a row, with a space between two."""
        return " ".join(self.words[number - 1] for number in row.tolist() if number)


# Folders


def read_captioned(path: Path) -> Iterator[File | Skipped]:
    """Each image with its captions as one file: NAME.txt beside NAME.jpg, or under text/ as the image under images/.

    What has no partner comes as `Skipped`.
    """
    texts: dict[str, bytes] = {}
    names: dict[str, str] = {}
    for item in archive.read_files(path):
        if isinstance(item, File) and item.name.lower().endswith(".txt"):
            texts[key_of(item.name)], names[key_of(item.name)] = item.data, item.name
    stems = Counter(key.rpartition("/")[2] for key in texts)
    alone = {key.rpartition("/")[2]: key for key in texts if stems[key.rpartition("/")[2]] == 1}
    used = set()
    for item in archive.read_files(path):
        if isinstance(item, Skipped):
            yield item
        elif not item.name.lower().endswith(".txt"):
            key = key_of(item.name)
            key = key if key in texts else alone.get(key.rpartition("/")[2], "")
            used.add(key)
            yield _joined(item, texts[key]) if key in texts else Skipped(name=item.name, reason="it has no captions")
    for key in sorted(texts.keys() - used):
        yield Skipped(name=names[key], reason="captions of no image")


def key_of(name: str) -> str:
    """What an image and its captions have in common: the path without its ending and the folders of each kind."""
    *folders, file = archive.stem(name).split("/")
    return "/".join([*(folder for folder in folders if folder.lower() not in PLACES), file])


def _joined(image: File, text: bytes) -> File | Skipped:
    if len(text) > TEXT_BYTES:
        return Skipped(name=image.name, reason=f"its captions are larger than {TEXT_BYTES // 2**20} MiB")
    try:
        lines = [line for line in text.decode("utf-8-sig").splitlines() if words_of(line)]
    except UnicodeDecodeError:
        return Skipped(name=image.name, reason="its captions are no UTF-8")
    if not lines:
        return Skipped(name=image.name, reason="its captions are empty")
    told = "\n".join(lines[:MOST]).encode()
    return File(image.name, CAPTIONED + struct.pack("<Q", len(told)) + told + image.data)


def parted(data: bytes) -> tuple[tuple[str, ...], bytes]:
    """The captions and the image of what `read_captioned` gives."""
    (length,) = struct.unpack_from("<Q", data, len(CAPTIONED))
    start = len(CAPTIONED) + 8
    return tuple(data[start : start + length].decode().split("\n")), data[start + length :]


def _arrange(names: Sequence[str], digests: Sequence[bytes]) -> Arranged:
    split = split_of(names)
    kept = list(split or range(len(names)))
    return Arranged(kept=kept, held=held_of(split, kept, digests, None), left_out="of the folder val")


CAPTIONS = Form(
    name="captions",
    arrange=_arrange,
    read=read_captioned,
    decode=lambda data, size, channels: transforms.decode(parted(data)[1], size, channels),
    parted=parted,
)
