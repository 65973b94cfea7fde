"""Makes the embedded `digits` from MNIST: the first 10,000 images of its train split, with their labels.

Usage: python tools/make_digits.py FOLDER, where FOLDER has MNIST's train-images-idx3-ubyte.gz and its labels.
The result is the same, byte for byte, wherever zlib compresses alike; NOTICE has the checksums of what is inside.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
from pathlib import Path

from zerosum.data.idx import parse_idx, to_idx
from zerosum.data.sources.mnist import MNIST

TARGET = Path(__file__).resolve().parents[1] / "src" / "zerosum" / "data" / "digits"
COUNT = 10_000
PARTS = (("train-images-idx3-ubyte", "images-idx3-ubyte"), ("train-labels-idx1-ubyte", "labels-idx1-ubyte"))

NOTICE = """\
The digits in this folder are a part of MNIST.

Title:    the MNIST database of handwritten digits
Authors:  Yann LeCun and Corinna Cortes, from NIST's Special Databases 1 and 3
Licence:  Creative Commons Attribution-ShareAlike 3.0, https://creativecommons.org/licenses/by-sa/3.0/
          These two files are under the same licence. (The rest of zerosum is under MIT.)
Changes:  the first 10,000 images of the train split of 60,000, in their order, with their labels;
          nothing was changed in an image. Compressed with gzip, by tools/make_digits.py.
          zerosum trains on the first 9,000 and never on the last 1,000.

What they were made from (decompressed):
{originals}
What is in them (decompressed IDX):
{parts}"""


def main(folder: Path) -> None:
    originals, parts = [], []
    for (original, part), md5 in zip(PARTS, MNIST.md5, strict=False):
        data = gzip.decompress((folder / f"{original}.gz").read_bytes())
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
            raise SystemExit(f"{folder / original}.gz is not MNIST's")
        subset = to_idx(parse_idx(data)[:COUNT])
        (TARGET / f"{part}.gz").write_bytes(gzip.compress(subset, compresslevel=9, mtime=0))
        originals.append(f"  {original}  MD5 {md5}\n")
        parts.append(f"  {part}  SHA-256 {hashlib.sha256(subset).hexdigest()}\n")
    (TARGET / "NOTICE").write_text(NOTICE.format(originals="".join(originals), parts="".join(parts)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
