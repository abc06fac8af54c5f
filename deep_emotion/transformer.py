"""The spatial transformer: localization theta -> affine grid -> bilinear sampler.

Conventions, the same everywhere in this package:

- theta is ``(batch, 6)``, read row by row as the 2x3 matrix that maps an OUTPUT position to the INPUT
  position it is sampled from: ``x_in = t0 * x + t1 * y + t2``, ``y_in = t3 * x + t4 * y + t5``.
- Normalised coordinates run from -1 to 1 between the CENTRES of the corner pixels (``align_corners=True``
  in PyTorch's words), so that the identity theta ``[1, 0, 0, 0, 1, 0]`` meets every pixel exactly.
- What lies outside the image is zero, and fades linearly over the last pixel (``padding_mode="zeros"``).

Reference: Jaderberg et al., Spatial Transformer Networks, arXiv 1506.02025, equations 1, 5, 6 and 7.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

IDENTITY_THETA = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAMPLERS = ("auto", "xla", "tensorflow", "keras", "stn")


def affine_grid(theta, height, width, out_height=None, out_width=None):
    """Input pixel coordinates for every output pixel (arXiv 1506.02025, equation 1).

    The centred form ``c + t0 * (u - c) + ...`` keeps the identity exact in float32.

    Args:
        theta: float tensor ``(batch, 6)``.
        height, width: size of the input image in pixels.
        out_height, out_width: size of the output in pixels; the input's by default.

    Returns:
        ``(x, y)``, two float tensors ``(batch, out_height, out_width)`` in input pixels, 0 at the first pixel's centre.

    Example:
        >>> x, y = affine_grid(ops.convert_to_tensor([IDENTITY_THETA]), 3, 3)
        >>> [float(v) for v in x[0, 0]]
        [0.0, 1.0, 2.0]
    """
    out_height, out_width = out_height or height, out_width or width
    centre_x, centre_y = (width - 1) / 2.0, (height - 1) / 2.0
    u = _centred(out_width, width, theta.dtype)[None, None, :]
    v = _centred(out_height, height, theta.dtype)[None, :, None]
    t = [ops.reshape(theta[:, i], (-1, 1, 1)) for i in range(6)]
    # Normalised x is u / centre_x and normalised y is v / centre_y: the cross terms change units. An image one pixel
    # wide has no extent along that axis, hence the max.
    aspect_x = centre_x / max(centre_y, 0.5)
    aspect_y = centre_y / max(centre_x, 0.5)
    x = centre_x + t[0] * u + t[1] * (v * aspect_x) + t[2] * centre_x
    y = centre_y + t[3] * (u * aspect_y) + t[4] * v + t[5] * centre_y
    return x, y


def _centred(out_size, size, dtype):
    """Output positions as offsets from the image centre, in input pixels: (out_size,)."""
    scale = (size - 1) / max(out_size - 1, 1)
    return (ops.arange(out_size, dtype=dtype) - (out_size - 1) / 2.0) * scale


def bilinear_sample(image, x, y):
    """Read ``image`` at fractional pixel coordinates; zero outside (arXiv 1506.02025, equation 5).

    Plain ``keras.ops``, differentiated by the backend: the reference that the fast sampler is tested against.

    Args:
        image: float tensor ``(batch, height, width, channels)``.
        x, y: float tensors ``(batch, out_height, out_width)`` in pixels, 0 at the first pixel's centre.

    Returns:
        float tensor ``(batch, out_height, out_width, channels)``.
    """
    height, width = image.shape[1], image.shape[2]
    padded = ops.pad(image, [[0, 0], [1, 1], [1, 1], [0, 0]])
    # A coordinate clipped to one pixel outside reads only the zero border, whatever it was.
    x, y = ops.clip(x, -1.0, float(width)), ops.clip(y, -1.0, float(height))
    left, top = ops.clip(ops.floor(x), -1, width - 1), ops.clip(ops.floor(y), -1, height - 1)
    right_share, bottom_share = (x - left)[..., None], (y - top)[..., None]
    row = width + 2
    corner = (ops.cast(top, "int32") + 1) * row + ops.cast(left, "int32") + 1
    flat = ops.reshape(padded, (-1, (height + 2) * row, image.shape[3]))

    def read(offset):
        index = ops.reshape(corner + offset, (-1, corner.shape[1] * corner.shape[2], 1))
        values = ops.take_along_axis(flat, index, axis=1)
        return ops.reshape(values, (-1, corner.shape[1], corner.shape[2], image.shape[3]))

    upper = read(0) + (read(1) - read(0)) * right_share
    lower = read(row) + (read(row + 1) - read(row)) * right_share
    return upper + (lower - upper) * bottom_share


def spatial_transform(
    image: keras.KerasTensor | np.ndarray,
    theta: keras.KerasTensor,
    out_height: None = None,
    out_width: None = None,
    sampler: str = "auto",
) -> keras.KerasTensor:
    """Warp a batch of images or feature maps by affine theta.

    Args:
        image: float tensor ``(batch, height, width, channels)`` with a known size.
        theta: float tensor ``(batch, 6)``.
        out_height, out_width: size of the output in pixels; the input's by default.
        sampler: "auto" takes the fastest exact path of this Keras backend; "xla" and "tensorflow" are one fused
            function with hand-written gradients, compiled or not; "keras" is plain ``keras.ops``; "stn" is the PyPI package
            ``stn`` 1.0.1 for those who want the original numbers: it scales by (width - 2) / 2, so its identity shrinks
            the image towards the top left corner, and it clips outside indices instead of reading zero.

    Returns:
        float tensor ``(batch, out_height, out_width, channels)``.

    Raises:
        ValueError: on an unknown sampler.
    """
    if sampler not in SAMPLERS:
        raise ValueError(
            f"Expected `sampler` to be one of {SAMPLERS}. Received: sampler={sampler!r}"
        )
    height, width = image.shape[1], image.shape[2]
    out_height, out_width = out_height or height, out_width or width
    if sampler == "auto":
        sampler = "xla" if keras.backend.backend() == "tensorflow" else "keras"
    if keras.backend.standardize_dtype(image.dtype) in (
        "bfloat16",
        "float16",
    ):  # too coarse for the place of a pixel
        wide = ops.cast(image, "float32"), ops.cast(theta, "float32")
        return ops.cast(spatial_transform(*wide, out_height, out_width, sampler), image.dtype)
    if sampler == "keras":
        return bilinear_sample(image, *affine_grid(theta, height, width, out_height, out_width))
    if sampler == "stn":
        from stn import spatial_transformer_network

        warped = spatial_transformer_network(image, theta, (out_height, out_width))
        return ops.reshape(warped, (-1, out_height, out_width, image.shape[3]))
    from . import fast_sampler  # TensorFlow only, hence late

    return fast_sampler.transform(image, theta, (out_height, out_width), compiled=sampler == "xla")


@keras.saving.register_keras_serializable(package="deep_emotion")
class BoundedTheta(keras.layers.Layer):
    """``identity + bound * tanh(step * x)``: a theta that stays near the identity and moves slowly.

    At a learning rate that suits a residual net (0.05, SGD) an unbounded theta ran away within an epoch: the window grew to 2.4
    times the face, left it on one side, and was the same for every face.

    Args:
        bound: how far each of the six numbers may be from the identity's.
        step: slows learning; the change of theta in a step is about its square times as large.

    Input shape, output shape:
        ``(batch, 6)``.
    """

    def __init__(self, bound: float = 0.3, step: float = 0.1, **kwargs) -> None:
        super().__init__(**kwargs)
        self.bound, self.step = bound, step

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        identity = ops.convert_to_tensor(IDENTITY_THETA, dtype=inputs.dtype)
        return identity + self.bound * ops.tanh(self.step * inputs)

    def compute_output_shape(self, input_shape: tuple[None, int]) -> tuple[None, int]:
        return input_shape

    def get_config(self):
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

    def __init__(self, sampler: str = "auto", **kwargs) -> None:
        super().__init__(**kwargs)
        if sampler not in SAMPLERS:
            raise ValueError(
                f"Expected `sampler` to be one of {SAMPLERS}. Received: sampler={sampler!r}"
            )
        self.sampler = sampler

    def call(self, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        image, theta = inputs
        return spatial_transform(image, theta, sampler=self.sampler)

    def compute_output_shape(
        self, input_shape: list[tuple[Any, ...]]
    ) -> tuple[None, int, int, int]:
        return tuple(input_shape[0])

    def get_config(self):
        return {**super().get_config(), "sampler": self.sampler}
