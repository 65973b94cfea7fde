"""The feed: batches drawn by index from samples that lie on the device as uint8, without workers or copies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from zerosum.data.dataset import Dataset, Split
from zerosum.errors import CheckpointError, UserError

RESIDENT_BYTES = 2**30  # a larger set does not go to a GPU, but stays where it is, memory-mapped
HOST_BYTES = 2**28  # nor does a larger one go to the process's own memory: mapped pages can be given back
MIRRORED_BYTES = 2**28  # up to here a mirrored copy lies beside the set: mirroring a batch costs more than taking it
BLOCK = 65_536  # numbers of a stream that are drawn at once
PLACES = 2**20  # steps between one end and the other of where a cut may lie

Indices = npt.NDArray[np.int64]


class _Stream:
    """An endless sequence of numbers, made of blocks; block k depends on the seed and k alone.

    So its whole state is a position, any position is reached at once, and what is drawn in pieces of
    any sizes is the same sequence. numpy promises never to change what RandomState draws.
    """

    def __init__(self, seed: int, name: int, size: int, draw: Callable[[np.random.RandomState], Indices]) -> None:
        self._key = (seed, name)
        self._size = size
        self._draw = draw
        self._number = -1
        self._block: Indices = np.empty(0, dtype=np.int64)

    def read(self, start: int, stop: int) -> Indices:
        """Numbers start … stop - 1 of the sequence."""
        pieces = []
        while start < stop:
            number, offset = divmod(start, self._size)
            if number != self._number:
                entropy = np.random.SeedSequence((*self._key, number))
                self._block = self._draw(np.random.RandomState(np.random.MT19937(entropy)))
                self._number = number
            pieces.append(self._block[offset : offset + stop - start])
            start += len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


class _Source:
    """What samples are made of, where they have partners."""

    def __init__(self, host: npt.NDArray[Any], dataset: Dataset, device: torch.device) -> None:
        self.host, self.shape, order = host, dataset.source_shape or (), dataset.mirrored
        self.rows = _resident(host, True, device)
        self.order = None if order is None else torch.tensor(order, device=device)


class Feed:
    """Draws batches from a dataset's train split, the same on every device and for every number of ranks.

    `draw="shuffle"` goes through permutation after permutation, `"replacement"` draws each image on its own.
    `flip` mirrors half of the images, left to right; `jitter` enlarges them so many times and cuts the old size from a
    place at random. Everything is determined by `seed` and by how many
    images were drawn before, so batches may change their size in mid-run. Images come in `dtype`, scaled
    from 0 … 255 to `value_range` as low + x / 255 * (high - low); points come unchanged.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        value_range: tuple[float, float] = (-1.0, 1.0),
        draw: Literal["shuffle", "replacement"] = "shuffle",
        flip: bool = False,
        jitter: float = 1.0,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if seed < 0:
            raise UserError(f"seed is {seed}; expected 0 or more")
        assert 0 <= rank < world
        split = dataset.train
        count = len(split)
        assert count > 0
        self._device, self._dtype = device, dtype
        self._low, self._high = value_range
        self._images = dataset.kind == "images"
        self._flip, self._jitter = flip and self._images, jitter if self._images else 1.0
        self._rank, self._world = rank, world
        self._shape = dataset.shape
        self._host = split.samples
        self._rows = _resident(split.samples, self._images, device)
        self._source = None if split.partners is None else _Source(split.partners, dataset, device)
        self._mirror: int | None = None  # the row where the mirrored copy begins
        if self._flip and split.partners is None and self._rows is not None and self._rows.nbytes <= MIRRORED_BYTES:
            mirrored = self._rows.view(count, *self._shape).flip(-1).view(count, -1)
            self._rows, self._mirror = torch.cat([self._rows, mirrored]), count
        self._y = _told_of(split, device)
        self._order = _permutations(seed, count) if draw == "shuffle" else _Stream(seed, 0, BLOCK, _uniform(count))
        self._flips = _Stream(seed, 1, BLOCK, _uniform(2))
        self._classes = _Stream(seed, 2, BLOCK, _uniform(count))
        self._places, *self._wordings = (_Stream(seed, name, BLOCK, _uniform(PLACES)) for name in (3, 4, 5))
        self._drawn = 0
        self._labelled = 0

    @property
    def drawn(self) -> int:
        """Images drawn so far, on all ranks together."""
        return self._drawn

    def take(self, count: int) -> tuple[Tensor, Tensor | None]:
        """The next `count` samples of all ranks together, of which this rank gets its part, in order.

        Returns x: (count / world, C, H, W) in `value_range`, or points (count / world, 2); and y: int64
        (count / world,), or one of each sample's captions (count / world, L), None where the data has neither.
        `UserError` where `count` is not a multiple of the number of ranks.
        """
        start, stop, order, index = self._next(count)
        y = self._told(index, self._wordings[0], start, stop)
        flips = self._mirrored(start, stop)
        if flips is not None and self._mirror is not None:
            index, flips = index + self._mirror * flips, None
        rows = self._gather(self._host, order) if self._rows is None else self._rows.index_select(0, index)
        return self._moved(rows.view(len(order), *self._shape), flips, start, stop), y

    def take_pairs(self, count: int) -> tuple[Tensor, Tensor]:
        """The next `count` pairs of all ranks together, this rank's part: what is given, and what is to be made of it.

        Both (count / world, C, H, W) in `value_range`, mirrored and cut alike.
        """
        return self._paired(*self._next(count))

    def take_known_pairs(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """The same with their classes, int64 (count / world,)."""
        start, stop, order, index = self._next(count)
        assert self._y is not None
        return *self._paired(start, stop, order, index), self._y.index_select(0, index)

    def _paired(self, start: int, stop: int, order: Indices, index: Tensor) -> tuple[Tensor, Tensor]:
        assert self._source is not None
        flips = self._mirrored(start, stop)
        made = []
        for host, rows, shape, channels in (
            (self._source.host, self._source.rows, self._source.shape, self._source.order),
            (self._host, self._rows, self._shape, None),
        ):
            found = self._gather(host, order) if rows is None else rows.index_select(0, index)
            made.append(self._moved(found.view(len(order), *shape), flips, start, stop, channels))
        return made[0], made[1]

    def _told(self, index: Tensor, wordings: _Stream, start: int, stop: int) -> Tensor | None:
        """The labels of these rows, or of each row the caption that the stream says at its place."""
        if self._y is None:
            return None
        found = self._y.index_select(0, index)
        if found.dim() == 1:
            return found
        chosen = sent(torch.from_numpy(wordings.read(start, stop) * found.shape[1] // PLACES), self._device)
        return found[torch.arange(len(found), device=self._device), chosen].long()

    def _next(self, count: int) -> tuple[int, int, Indices, Tensor]:
        """This rank's part of the next `count`: its places in the streams, and the rows, also on the device."""
        start, stop = self._part(self._drawn, count)
        self._drawn += count
        order = self._order.read(start, stop)
        return start, stop, order, sent(torch.from_numpy(order), self._device)

    def _mirrored(self, start: int, stop: int) -> Tensor | None:
        """1 for each sample that is mirrored at these places, else 0; None where none ever is."""
        return sent(torch.from_numpy(self._flips.read(start, stop)), self._device) if self._flip else None

    def _moved(self, x: Tensor, flips: Tensor | None, start: int, stop: int, channels: Tensor | None = None) -> Tensor:
        """Rows as networks see them, mirrored and cut as the streams say at these places.

        channels: their order in a mirror, where it is another one.
        """
        if flips is not None:
            mirrored = (x if channels is None else x.index_select(1, channels)).flip(-1)
            x = torch.where((flips == 1)[:, None, None, None], mirrored, x)
        x = self._converted(x)
        if self._jitter == 1:
            return x
        size, large = x.shape[-1], round(self._jitter * x.shape[-1])
        wide = functional.interpolate(x, (large, large), mode="bilinear", align_corners=False)
        places = self._places.read(2 * start, 2 * stop).reshape(-1, 2) * (large - size + 1) // PLACES
        return torch.stack(
            [one[:, top : top + size, left : left + size] for one, (top, left) in zip(wide, places, strict=True)]
        )

    def labels(self, count: int) -> Tensor | None:
        """Labels, or captions, for `count` fakes of all ranks together, drawn with replacement from those of train.

        They have a stream of their own: real batches do not depend on them. Returns this rank's part,
        int64 (count / world,) or (count / world, L); None where the data has neither.
        """
        start, stop = self._part(self._labelled, count)
        if self._y is None:
            return None
        self._labelled += count
        index = sent(torch.from_numpy(self._classes.read(start, stop)), self._device)
        return self._told(index, self._wordings[1], start, stop)

    def state_dict(self) -> dict[str, Any]:
        """How many samples and labels were drawn, on all ranks together: plain integers."""
        return {"drawn": self._drawn, "labelled": self._labelled}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on exactly where `state_dict` was taken; `CheckpointError` where it is not such a state."""
        values = [state.get(key) for key in ("drawn", "labelled")]
        for value in values:
            if not isinstance(value, int) or value < 0:
                raise CheckpointError(f"the data's state is {dict(state)!r}; expected drawn and labelled, both counts")
        self._drawn, self._labelled = int(state["drawn"]), int(state["labelled"])

    def _part(self, position: int, count: int) -> tuple[int, int]:
        if count < 1 or count % self._world:
            raise UserError(
                f"batch is {count}; expected a multiple of the number of processes, {self._world}, and at least that"
            )
        local = count // self._world
        start = position + self._rank * local
        return start, start + local

    def _gather(self, host: npt.NDArray[Any], order: Indices) -> Tensor:
        """Rows of a memory-mapped set, read in the order in which they lie on the disk."""
        unique, back = np.unique(order, return_inverse=True)
        rows = np.ascontiguousarray(host[unique][back])
        x = torch.from_numpy(rows)
        return sent((x.permute(0, 3, 1, 2) if self._images else x).contiguous(), self._device)

    def _converted(self, x: Tensor) -> Tensor:
        if not self._images:
            return x.to(self._dtype)
        # A short float can't hold the steps on the way: it is rounded once, at the end.
        precise = self._dtype if self._dtype == torch.float64 else torch.float32
        scaled = x.to(precise).div_(255)  # first, so that 255 becomes 1 exactly
        if (self._low, self._high) != (0.0, 1.0):
            scaled = scaled.mul_(self._high - self._low).add_(self._low)  # a third of the time of torch.lerp
        return scaled.to(self._dtype)


def sent(values: Tensor, device: torch.device) -> Tensor:
    """Values on the device; to a GPU through pinned memory, or the copy would wait for all that runs there."""
    if device.type != "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


def _told_of(split: Split, device: torch.device) -> Tensor | None:
    """The labels (N,) or captions (N, K, L) on the device; None where there are neither."""
    told = split.labels if split.captions is None else split.captions
    return None if told is None else torch.from_numpy(np.array(told)).to(device)


def _permutations(seed: int, count: int) -> _Stream:
    return _Stream(seed, 0, count, lambda random: random.permutation(count).astype(np.int64, copy=False))


def _uniform(below: int) -> Callable[[np.random.RandomState], Indices]:
    return lambda random: random.randint(below, size=BLOCK, dtype=np.int64)


def _resident(samples: npt.NDArray[Any], images: bool, device: torch.device) -> Tensor | None:
    """The samples on the device, a row each, channels first; None where they are too large for that."""
    if samples.nbytes > (HOST_BYTES if device.type == "cpu" else RESIDENT_BYTES):
        return None
    array = np.ascontiguousarray(samples[:].transpose(0, 3, 1, 2)) if images else samples
    # A copy: what torch shares must be writable, and a mapped file must not be read page by page later.
    rows = torch.from_numpy(np.array(array).reshape(len(array), -1))
    return rows.to(device)
