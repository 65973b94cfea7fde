"""The tutorial's own Keras script for `dcgan-lite`, for a machine that has TensorFlow: the other peer."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

BATCH, Z_DIM = 256, 100
HOW = "pip install tensorflow-cpu"


def installed() -> bool:
    """Whether there is a TensorFlow to run the script with."""
    return find_spec("tensorflow") is not None


class Script:
    """The tutorial's training: `step` is one iteration, with `predict` and `train_on_batch` as it has them."""

    batch: float = BATCH

    def __init__(self, images: npt.NDArray[np.float32], threads: int) -> None:
        """images: (N, 28, 28, 1) in [0, 1]."""
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        self.images = images
        self.D, self.G = discriminator(), generator()
        # Traced while D learns, in the batch that it will see: Keras 3 would not look again, and D would stand still.
        self.D.train_on_batch(images[:BATCH], np.ones((BATCH, 1)))
        self.D.trainable = False
        from tensorflow.keras import Sequential

        self.gan = Sequential([self.G, self.D])
        self.gan.compile(loss="binary_crossentropy", optimizer=adam())
        before = self.D.get_weights()[0].copy()
        self.step()
        if np.array_equal(before, self.D.get_weights()[0]):
            raise RuntimeError("this Keras does not train a D that was made untrainable after it was compiled")

    def step(self) -> None:
        half = BATCH // 2
        real = self.images[np.random.randint(0, len(self.images), half)]
        fake = self.G.predict(np.random.randn(half, Z_DIM), verbose=0)
        labels = np.vstack((np.ones((half, 1)), np.zeros((half, 1))))
        self.D.train_on_batch(np.vstack((real, fake)), labels)
        self.gan.train_on_batch(np.random.randn(BATCH, Z_DIM), np.ones((BATCH, 1)))


def adam() -> Any:
    """The tutorial's optimizer, for D and for the joined model."""
    from tensorflow.keras.optimizers import Adam

    return Adam(learning_rate=0.0002, beta_1=0.5)


def discriminator() -> Any:
    """Images (N, 28, 28, 1) to a probability, compiled."""
    from tensorflow.keras import Sequential, layers

    model = Sequential([layers.Input((28, 28, 1))])
    for _ in range(2):
        model.add(layers.Conv2D(64, 3, strides=2, padding="same"))
        model.add(layers.LeakyReLU(0.2))
        model.add(layers.Dropout(0.4))
    model.add(layers.Flatten())
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer=adam(), metrics=["accuracy"])
    return model


def generator() -> Any:
    """z (N, 100) to images (N, 28, 28, 1)."""
    from tensorflow.keras import Sequential, layers

    model = Sequential([layers.Input((Z_DIM,)), layers.Dense(7 * 7 * 128), layers.LeakyReLU(0.2)])
    model.add(layers.Reshape((7, 7, 128)))
    for _ in range(2):
        model.add(layers.Conv2DTranspose(128, 4, strides=2, padding="same"))
        model.add(layers.LeakyReLU(0.2))
    model.add(layers.Conv2D(1, 7, activation="sigmoid", padding="same"))
    return model
