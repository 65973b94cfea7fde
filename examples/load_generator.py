"""Load what a run has learned, in a process that knows only its folder: `python load_generator.py RUN`."""

import sys

import torch

import zerosum

G = zerosum.load(sys.argv[1])  # the best checkpoint, else the last
z = torch.randn(16, G.z_dim, generator=torch.Generator().manual_seed(0))
y = None if G.domain.classes is None else torch.arange(16) % G.domain.classes
with torch.no_grad():
    images = G(z, y)  # float32 (16, C, H, W) in G.domain.value_range
print(G.recipe.name, G.step, tuple(images.shape))

digits = G.sample(64, seed=0)  # uint8 (64, H, W, C)
print(digits.dtype, digits.shape)
