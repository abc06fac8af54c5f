"""Compares a training step of ConvNeXt-Tiny with keras.applications and PyTorch.

    pip install -e ".[bench]" && python benchmarks/convnext_speed.py --save
    PIXELS=224 python benchmarks/convnext_speed.py --rounds 5 --repeats 2 --save

A step is forward, backward and an SGD update, with a linear head. "ours" is the ConvNeXt of dan_tf.
"keras.applications" builds the same net with a grouped Conv2D as its depthwise convolution. PyTorch
runs a plain module, structured like that of ConvNeXt's authors, with channels last. The images have
48 or 224 pixels.
"""

import os

import paired

SIZE = int(os.environ.get("PIXELS", "48"))  # from the environment, so that the workers have it too
BATCH = {48: 64, 224: 8}[SIZE]
CLASSES = 7


def _batch():
    import numpy as np

    numbers = np.random.default_rng(0)
    images = numbers.uniform(0, 255, (BATCH, SIZE, SIZE, 3)).astype("float32")
    return images, numbers.integers(0, CLASSES, BATCH).astype("int32")


def _train_step(model):
    """A compiled step of plain cross-entropy and SGD with momentum."""
    import keras
    import tensorflow as tf

    images, labels = (tf.constant(array) for array in _batch())
    optimizer = keras.optimizers.SGD(0.001, momentum=0.9)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
            )
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    return lambda: float(step())


def _ours():
    from ferkit.tensorflow_runtime import import_tensorflow

    import_tensorflow()
    import keras

    from dan_tf.backbone.convnext import convnext

    pixels = keras.Input((SIZE, SIZE, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(convnext("convnext_tiny", pixels))
    return _train_step(keras.Model(pixels, keras.layers.Dense(CLASSES)(pooled)))


def _keras_applications():
    from ferkit.tensorflow_runtime import import_tensorflow

    import_tensorflow()
    import keras

    base = keras.applications.ConvNeXtTiny(
        include_top=False, weights=None, input_shape=(SIZE, SIZE, 3), pooling="avg"
    )
    return _train_step(keras.Model(base.input, keras.layers.Dense(CLASSES)(base.output)))


def _torch():
    import torch
    from torch import nn
    from torch.nn import functional

    class ChannelsFirstNorm(nn.LayerNorm):
        def forward(self, x):
            return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    class Block(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
            self.norm = nn.LayerNorm(channels, eps=1e-6)
            self.expand, self.project = (
                nn.Linear(channels, 4 * channels),
                nn.Linear(4 * channels, channels),
            )
            self.scale = nn.Parameter(torch.full((channels,), 1e-6))

        def forward(self, x):
            y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
            y = self.scale * self.project(functional.gelu(self.expand(y)))
            return x + y.permute(0, 3, 1, 2)

    depths, dims = (3, 3, 9, 3), (96, 192, 384, 768)
    parts = [nn.Conv2d(3, dims[0], 4, 4), ChannelsFirstNorm(dims[0], eps=1e-6)]
    for stage, (depth, channels) in enumerate(zip(depths, dims, strict=True)):
        if stage:
            parts += [
                ChannelsFirstNorm(dims[stage - 1], eps=1e-6),
                nn.Conv2d(dims[stage - 1], channels, 2, 2),
            ]
        parts += [Block(channels) for _ in range(depth)]
    head = [
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.LayerNorm(dims[-1], eps=1e-6),
        nn.Linear(dims[-1], CLASSES),
    ]
    model = nn.Sequential(*parts, *head).to(memory_format=torch.channels_last)
    images, labels = _batch()
    pixels = torch.tensor(images).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    labels = torch.tensor(labels, dtype=torch.long)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)

    def run():
        optimizer.zero_grad()
        loss = functional.cross_entropy(model((pixels / 255 - 0.45) / 0.225), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return run


CONTESTANTS = {
    "ours": _ours,
    "PyTorch, channels last": _torch,
    "keras.applications": _keras_applications,
}

if __name__ == "__main__":
    paired.main(
        __file__,
        f"ConvNeXt-Tiny training step {SIZE} px",
        CONTESTANTS,
        "ours",
        "images",
        BATCH,
        __doc__,
    )
