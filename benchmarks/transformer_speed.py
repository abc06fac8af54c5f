"""Compares the spatial transformer with its peers: forward, and gradient to theta.

    pip install -e ".[bench]" && python benchmarks/transformer_speed.py --save

The input is 128 images of 48x48x1 with thetas around the identity.
"""

import paired

BATCH = 128


def _inputs():
    import numpy as np

    numbers = np.random.default_rng(0)
    images = numbers.uniform(0, 1, (BATCH, 48, 48, 1)).astype("float32")
    theta = np.array([[1, 0, 0, 0, 1, 0]] * BATCH) + numbers.normal(0, 0.1, (BATCH, 6))
    return images, theta.astype("float32")


def _tensorflow(sampler, quiet=True):
    def prepare():
        from ferkit.tensorflow_runtime import import_tensorflow

        if quiet:
            import_tensorflow()
        import tensorflow as tf

        from deep_emotion import spatial_transform

        images, theta = (tf.constant(array) for array in _inputs())

        @tf.function
        def gradient(images, theta):
            with tf.GradientTape() as tape:
                tape.watch(theta)
                warped = spatial_transform(images, theta, sampler=sampler)
                loss = tf.reduce_sum(warped * warped)
            return tape.gradient(loss, theta)

        return lambda: gradient(images, theta).numpy()

    return prepare


def _torch():
    import torch
    from torch.nn import functional

    images, theta = (torch.tensor(array) for array in _inputs())
    theta = theta.view(-1, 2, 3).requires_grad_()

    def run():
        grid = functional.affine_grid(theta, images.size(), align_corners=True)
        warped = functional.grid_sample(images, grid, align_corners=True)
        return torch.autograd.grad((warped * warped).sum(), theta)

    return run


CONTESTANTS = {
    "ours": _tensorflow("auto"),
    "ours without XLA": _tensorflow("tensorflow"),
    "stn 1.0.1": _tensorflow(
        "stn", quiet=False
    ),  # TensorFlow as it comes, without our thread settings
    "PyTorch affine_grid + grid_sample": _torch,
}

if __name__ == "__main__":
    paired.main(__file__, "spatial transformer", CONTESTANTS, "ours", "images", BATCH, __doc__)
