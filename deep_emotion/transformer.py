"""The spatial transformer: localization theta -> affine grid -> bilinear sampler.

Conventions, the same everywhere in this package:

- theta is ``(batch, 6)``, read row by row as the 2x3 matrix that maps an OUTPUT position to the
  INPUT position it is sampled from: ``x_in = t0 * x + t1 * y + t2``,
  ``y_in = t3 * x + t4 * y + t5``.
- Normalized coordinates run from -1 to 1 between the CENTERS of the corner pixels
  (PyTorch's ``align_corners=True``), so that the identity theta ``[1, 0, 0, 0, 1, 0]`` meets
  every pixel exactly.
- Outside the image values are zero. They fade linearly over the last pixel
  (``padding_mode="zeros"``).

Reference: Jaderberg et al., Spatial Transformer Networks, arXiv 1506.02025, equations 1, 5, 6
and 7.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

IDENTITY_THETA = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAMPLERS = ("auto", "xla", "tensorflow", "keras", "stn")


def affine_grid(
    theta: keras.KerasTensor,
    height: int,
    width: int,
    out_height: int | None = None,
    out_width: int | None = None,
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Input pixel coordinates for every output pixel (arXiv 1506.02025, equation 1).

    The centered form ``c + t0 * (u - c) + ...`` keeps the identity exact in float32.

    Args:
        theta: float tensor ``(batch, 6)``.
        height, width: size of the input image in pixels.
        out_height, out_width: size of the output in pixels; by default that of the input.

    Returns:
        ``(x, y)``, two float tensors ``(batch, out_height, out_width)`` in input pixels; 0 is the
        center of the first pixel.

    Example:
        >>> x, y = affine_grid(ops.convert_to_tensor([IDENTITY_THETA]), 3, 3)
        >>> [float(v) for v in x[0, 0]]
        [0.0, 1.0, 2.0]
    """
    out_height, out_width = out_height or height, out_width or width
    center_x, center_y = (width - 1) / 2.0, (height - 1) / 2.0
    u = _centered(out_width, width, theta.dtype)[None, None, :]
    v = _centered(out_height, height, theta.dtype)[None, :, None]
    t = [ops.reshape(theta[:, i], (-1, 1, 1)) for i in range(6)]
    # Normalized x is u / center_x and normalized y is v / center_y, so the cross terms change
    # units. An image that is one pixel wide has no extent along that axis, hence the max.
    aspect_x = center_x / max(center_y, 0.5)
    aspect_y = center_y / max(center_x, 0.5)
    x = center_x + t[0] * u + t[1] * (v * aspect_x) + t[2] * center_x
    y = center_y + t[3] * (u * aspect_y) + t[4] * v + t[5] * center_y
    return x, y


def _centered(out_size: int, size: int, dtype: str) -> keras.KerasTensor:
    """Output positions as offsets from the image centre, in input pixels: (out_size,)."""
    scale = (size - 1) / max(out_size - 1, 1)
    return (ops.arange(out_size, dtype=dtype) - (out_size - 1) / 2.0) * scale


def bilinear_sample(
    image: keras.KerasTensor, x: keras.KerasTensor, y: keras.KerasTensor
) -> keras.KerasTensor:
    """Read ``image`` at fractional pixel coordinates; zero outside (arXiv 1506.02025, equation 5).

    Plain ``keras.ops``, differentiated by the backend. The fast sampler is tested against it.

    Args:
        image: float tensor ``(batch, height, width, channels)``.
        x, y: float tensors ``(batch, out_height, out_width)`` in pixels; 0 is the center of the
            first pixel.

    Returns:
        float tensor ``(batch, out_height, out_width, channels)``.
    """
    height, width = image.shape[1], image.shape[2]
    padded = ops.pad(image, [[0, 0], [1, 1], [1, 1], [0, 0]])
    # Every coordinate further outside than one pixel reads only the zero border.
    x, y = ops.clip(x, -1.0, float(width)), ops.clip(y, -1.0, float(height))
    left, top = ops.clip(ops.floor(x), -1, width - 1), ops.clip(ops.floor(y), -1, height - 1)
    right, bottom = (x - left)[..., None], (y - top)[..., None]
    row = width + 2
    corner = (ops.cast(top, "int32") + 1) * row + ops.cast(left, "int32") + 1
    flat = ops.reshape(padded, (-1, (height + 2) * row, image.shape[3]))

    def read(offset: int) -> keras.KerasTensor:
        index = ops.reshape(corner + offset, (-1, corner.shape[1] * corner.shape[2], 1))
        values = ops.take_along_axis(flat, index, axis=1)
        return ops.reshape(values, (-1, corner.shape[1], corner.shape[2], image.shape[3]))

    upper = read(0) + (read(1) - read(0)) * right
    lower = read(row) + (read(row + 1) - read(row)) * right
    return upper + (lower - upper) * bottom


def spatial_transform(
    image: keras.KerasTensor | np.ndarray,
    theta: keras.KerasTensor,
    out_height: int | None = None,
    out_width: int | None = None,
    sampler: str = "auto",
) -> keras.KerasTensor:
    """Warp a batch of images or feature maps by affine theta.

    Args:
        image: float tensor ``(batch, height, width, channels)`` with a known size.
        theta: float tensor ``(batch, 6)``.
        out_height, out_width: size of the output in pixels; by default that of the input.
        sampler: "auto" selects the fastest exact sampler for this Keras backend. "xla" and
            "tensorflow" are one fused function with hand-written gradients, compiled or not.
            "keras" is plain ``keras.ops``. "stn" is the PyPI package ``stn`` 1.0.1, for comparison
            with the original results: it scales by (width - 2) / 2, so its identity shrinks the
            image towards the top left corner, and it clips indices outside the image instead of
            reading zero.

    Returns:
        float tensor ``(batch, out_height, out_width, channels)``.

    Raises:
        ValueError: unknown sampler.
    """
    if sampler not in SAMPLERS:
        raise ValueError(
            f"Expected `sampler` to be one of {SAMPLERS}. Received: sampler={sampler!r}"
        )
    height, width = image.shape[1], image.shape[2]
    out_height, out_width = out_height or height, out_width or width
    if sampler == "auto":
        sampler = "xla" if keras.backend.backend() == "tensorflow" else "keras"
    if keras.backend.standardize_dtype(image.dtype) in ("bfloat16", "float16"):
        # Half precision is too coarse for pixel coordinates.
        wide = ops.cast(image, "float32"), ops.cast(theta, "float32")
        return ops.cast(spatial_transform(*wide, out_height, out_width, sampler), image.dtype)
    if sampler == "keras":
        return bilinear_sample(image, *affine_grid(theta, height, width, out_height, out_width))
    if sampler == "stn":
        from stn import spatial_transformer_network  # late: an optional package

        warped = spatial_transformer_network(image, theta, (out_height, out_width))
        return ops.reshape(warped, (-1, out_height, out_width, image.shape[3]))
    from . import fast_sampler  # late: needs TensorFlow, other backends may not have it

    return fast_sampler.transform(image, theta, (out_height, out_width), compiled=sampler == "xla")


@keras.saving.register_keras_serializable(package="deep_emotion")
class BoundedTheta(keras.layers.Layer):
    """``identity + bound * tanh(step * x)``: a theta that stays near the identity and moves slowly.

    At a learning rate that suits a residual network (0.05, SGD), an unbounded theta diverged within
    one epoch: the window grew to 2.4 times the face, left it on one side, and was the same for
    every face.

    Args:
        bound: largest distance of each of the six numbers from that of the identity.
        step: slows learning; the change of theta per training step scales with about its square.

    Input shape, output shape:
        ``(batch, 6)``.
    """

    def __init__(self, bound: float = 0.3, step: float = 0.1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bound, self.step = bound, step

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Theta from the localization network's six free numbers."""
        identity = ops.convert_to_tensor(IDENTITY_THETA, dtype=inputs.dtype)
        return identity + self.bound * ops.tanh(self.step * inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, int]) -> tuple[int | None, int]:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "bound": self.bound, "step": self.step}


@keras.saving.register_keras_serializable(package="deep_emotion")
class SpatialTransformer(keras.layers.Layer):
    """Warps its first input by the theta of its second: ``layer([image, theta])``.

    Args:
        sampler: see ``spatial_transform``.

    Input shape:
        ``[(batch, height, width, channels), (batch, 6)]``

    Output shape:
        ``(batch, height, width, channels)``

    Example:
        >>> warped = SpatialTransformer()([image, theta])

    Reference: arXiv 1506.02025, section 3.
    """

    def __init__(self, sampler: str = "auto", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if sampler not in SAMPLERS:
            raise ValueError(
                f"Expected `sampler` to be one of {SAMPLERS}. Received: sampler={sampler!r}"
            )
        self.sampler = sampler

    def call(self, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        """The warped image."""
        image, theta = inputs
        return spatial_transform(image, theta, sampler=self.sampler)

    def compute_output_shape(
        self, input_shape: Sequence[tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        """The shape of the image."""
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "sampler": self.sampler}
