"""Low resolution made from images by a stated degradation: blur, bicubic reduction with antialiasing, noise, JPEG."""

from __future__ import annotations

import io
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from zerosum.data.transforms import picture
from zerosum.errors import UserError, nearest

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """What happens to an image, in this order; the factor is the paper's bicubic one where nothing else is said."""

    blur: float = 0.0  # sigma of a Gaussian, pixels of the large image
    factor: int = 4
    noise: float = 0.0  # standard deviation, of 255 levels
    jpeg: int = 0  # quality, 1 to 95; 0: none

    def __post_init__(self) -> None:
        if self.factor not in (2, 4, 8):
            raise UserError(f"factor is {self.factor}; expected 2, 4 or 8")
        if not (0 <= self.blur <= 10 and 0 <= self.noise <= 100 and 0 <= self.jpeg <= 95):
            raise UserError("expected blur from 0 to 10 pixels, noise from 0 to 100 levels, jpeg from 1 to 95")

    def __call__(self, images: Bytes) -> Bytes:
        """uint8 (N, H, W, C) to (N, H / factor, W / factor, C); the same image becomes the same."""
        size = images.shape[1]
        if size % self.factor:
            raise UserError(f"{size} pixels are no multiple of the factor {self.factor}: choose another --size")
        return np.stack([self._one(image) for image in images])

    def _one(self, image: Bytes) -> Bytes:
        seen = picture(image)
        if self.blur:
            seen = seen.filter(ImageFilter.GaussianBlur(self.blur))
        side = image.shape[0] // self.factor
        seen = seen.resize((side, side), Image.Resampling.BICUBIC)  # Pillow's looks at all that is reduced
        small = np.asarray(seen).reshape(side, side, image.shape[2])
        if self.noise:
            chance = np.random.default_rng(int(image.astype(np.uint64).sum()))
            small = np.clip(np.rint(small + chance.normal(0, self.noise, small.shape)), 0, 255).astype(np.uint8)
        if self.jpeg:
            file = io.BytesIO()
            picture(small).save(file, "JPEG", quality=self.jpeg)
            small = np.asarray(Image.open(file)).reshape(small.shape)
        return small


def parse(text: str) -> tuple[Degradation, str]:
    """`factor=4,jpeg=60:SOURCE` as the degradation and the source; SOURCE alone is the usual one."""
    head, _, rest = text.partition(":")
    if "=" not in head or not rest:
        return Degradation(), text
    known = {one.name: one.type for one in fields(Degradation)}
    told: dict[str, float] = {}
    for part in head.split(","):
        name, _, value = part.partition("=")
        if name not in known:
            raise UserError(f"upscale knows no {name!r}; {nearest(name, known)}")
        try:
            told[name] = int(value) if known[name] == "int" else float(value)
        except ValueError:
            raise UserError(f"{name} is {value!r}; expected a number") from None
    return Degradation(**told), rest  # type: ignore[arg-type]
