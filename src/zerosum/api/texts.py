"""The captions of a run: those that its checkpoints keep, and those that its grids are drawn of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zerosum.api.tasks import spread
from zerosum.data import Dataset
from zerosum.data.captions import Vocabulary
from zerosum.sampling.files import replacing

CAPTIONS = "captions.txt"  # beside the grids: what each of their images was told
EXAMPLES = 256  # captions that a checkpoint keeps, so that samples can be drawn without the data


def vocabulary_of(dataset: Dataset) -> Vocabulary:
    """The words of a data set's captions."""
    assert dataset.text is not None
    return Vocabulary(dataset.words, dataset.text[1])


def examples(dataset: Dataset, count: int) -> npt.NDArray[np.int64]:
    """(n, L): captions of up to `count` images, one each and their wordings in turn; held-out images come first."""
    found: list[npt.NDArray[np.int32]] = []
    for split in (dataset.held_out, dataset.train):
        assert split.captions is not None
        found += list(split.captions[spread(len(split), count - len(found))] if count > len(found) else ())
    return np.array([rows[place % len(rows)] for place, rows in enumerate(found)], np.int64)


def text_of(dataset: Dataset) -> dict[str, Any]:
    """What a checkpoint says of texts: the words, the length of a row, and some captions."""
    vocabulary = vocabulary_of(dataset)
    told = [vocabulary.text(row) for row in examples(dataset, EXAMPLES)]
    return {"words": list(vocabulary.words), "length": vocabulary.length, "captions": [one for one in told if one]}


def write_captions(path: Path, dataset: Dataset, rows: npt.NDArray[np.int64]) -> None:
    """A line for each image of a grid, row by row; nothing where they are written."""
    if not path.exists():
        vocabulary = vocabulary_of(dataset)
        with replacing(path) as partial:
            partial.write_text("".join(f"{vocabulary.text(row)}\n" for row in rows), encoding="utf-8")
