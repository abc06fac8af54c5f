"""Makes the LiteRT file of YuNet that the package includes, from OpenCV's .onnx file.

python benchmarks/detector/make_yunet_litert.py

It needs the packages onnx and tensorflow. The weights are those of the .onnx file, in float32. Four
changes make it faster and leave the results as they are:

- It reads RGB: the first layer's weights are in that order.
- The input has one more row above and one more column on the left, of zeros: the padding of the
  first layer, whose stride of 2 never reads the padding on the other sides.
- The four heads of a scale are one convolution with 16 channels: class, objectness, box (4) and
  landmarks (10).
- Class and objectness are logits, because only a few of them are needed as probabilities.

Input: float32 ``(1, 1 + height, 1 + width, 3)`` in [0, 255]; height and width are multiples of 32.
Outputs: float32 ``(1, height / s, width / s, 16)`` for s = 8, 16, 32.
"""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import onnx
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

FOLDER = Path(__file__).resolve().parents[2] / "ferkit" / "recognition"
SOURCE = FOLDER / "face_detection_yunet_2023mar.onnx"
TARGET = SOURCE.with_suffix(".tflite")
STRIDES = (8, 16, 32)
HEADS = ("cls", "obj", "bbox", "kps")
HEADS_IN_FILE = ("cls", "bbox", "obj", "kps")
TOLERANCE = 1e-4

Layer = tuple[np.ndarray, np.ndarray]  # kernel in TensorFlow's order, bias


def read_layers(path: Path) -> list[Layer]:
    """The convolutions of the .onnx file, in its order."""
    model = onnx.load(path)
    arrays = {array.name: onnx.numpy_helper.to_array(array) for array in model.graph.initializer}
    layers = []
    for node in model.graph.node:
        if node.op_type == "Conv":
            kernel, bias = (arrays[name] for name in node.input[1:])
            is_depthwise = kernel.shape[1:] == (1, 3, 3)
            layers.append((kernel.transpose((2, 3, 0, 1) if is_depthwise else (2, 3, 1, 0)), bias))
    return layers


def unit(x: tf.Tensor, point: Layer, space: Layer) -> tf.Tensor:
    """YuNet's unit: a 1 x 1 convolution, and a 3 x 3 convolution of each channel by itself."""
    x = tf.nn.conv2d(x, tf.constant(point[0]), 1, "VALID") + point[1]
    return tf.nn.depthwise_conv2d(x, tf.constant(space[0]), (1, 1, 1, 1), "SAME") + space[1]


def units(x: tf.Tensor, layers: list[Layer]) -> tf.Tensor:
    """Units with ReLU, one for each two layers."""
    for point, space in zip(layers[::2], layers[1::2], strict=True):
        x = tf.nn.relu(unit(x, point, space))
    return x


def half(x: tf.Tensor) -> tf.Tensor:
    """The largest of each 2 x 2 pixels."""
    return tf.nn.max_pool2d(x, 2, 2, "VALID")


def twice(x: tf.Tensor) -> tf.Tensor:
    """Each pixel as 2 x 2 pixels, by operations that do not depend on the size."""
    return tf.nn.depth_to_space(tf.concat([x] * 4, -1), 2)


def merged_heads(layers: list[Layer], level: int) -> tuple[Layer, Layer]:
    """The two layers that are all heads of a scale."""
    starts = [2 * (len(STRIDES) * HEADS_IN_FILE.index(head) + level) for head in HEADS]
    points, spaces = [layers[i] for i in starts], [layers[i + 1] for i in starts]
    return (
        (np.concatenate([k for k, _ in points], 3), np.concatenate([b for _, b in points])),
        (np.concatenate([k for k, _ in spaces], 2), np.concatenate([b for _, b in spaces])),
    )


def network(x: tf.Tensor, layers: list[Layer]) -> dict[str, tf.Tensor]:
    """The outputs by name: "8", "16" and "32"."""
    kernel, bias = layers[0]
    x = tf.nn.relu(tf.nn.conv2d(x, tf.constant(kernel[:, :, ::-1]), 2, "VALID") + bias)
    x = half(units(x, layers[1:3]))
    scale_8 = units(half(units(x, layers[3:11])), layers[11:15])
    scale_16 = units(half(scale_8), layers[15:19])
    scale_32 = units(half(scale_16), layers[19:23])
    neck, heads = layers[23:29], layers[29:]
    scale_32 = units(scale_32, neck[:2])
    scale_16 = units(scale_16 + twice(scale_32), neck[2:4])
    scale_8 = units(scale_8 + twice(scale_16), neck[4:])
    scales = zip(STRIDES, (scale_8, scale_16, scale_32), strict=True)
    return {str(s): unit(x, *merged_heads(heads, level)) for level, (s, x) in enumerate(scales)}


def convert(layers: list[Layer]) -> bytes:
    """The LiteRT file."""
    signature = [tf.TensorSpec((1, None, None, 3), tf.float32, "photo")]
    module = tf.Module()
    module.function = tf.function(lambda photo: network(photo, layers), input_signature=signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.function.get_concrete_function()], module
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return converter.convert()


def largest_difference(file: bytes, height: int, width: int) -> float:
    """Largest difference of any output from OpenCV's, of noise."""
    photo = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    net = cv2.dnn.readNetFromONNX(str(SOURCE))
    net.setInput(cv2.dnn.blobFromImage(photo, swapRB=True))
    names = [f"{head}_{s}" for s in STRIDES for head in HEADS]
    expected = dict(zip(names, net.forward(names), strict=True))
    interpreter = Interpreter(model_content=file)
    run = interpreter.get_signature_runner()
    padded = np.pad(photo, ((1, 0), (1, 0), (0, 0))).astype(np.float32)
    outputs = run(photo=padded[None])
    differences = []
    for s in STRIDES:
        cells = outputs[str(s)].reshape(1, -1, 16)
        parts = np.split(cells, (1, 2, 6), -1)
        parts[:2] = [1 / (1 + np.exp(-part)) for part in parts[:2]]
        differences += [
            np.abs(part - expected[f"{head}_{s}"]).max()
            for head, part in zip(HEADS, parts, strict=True)
        ]
    return float(max(differences))


def main() -> None:
    """Write the file if it agrees with OpenCV, and print its hash."""
    file = convert(read_layers(SOURCE))
    for height, width in ((64, 96), (512, 512), (352, 640)):
        difference = largest_difference(file, height, width)
        print(f"{height} x {width}: largest difference {difference:.1e}")
        if difference > TOLERANCE:
            raise SystemExit(f"larger than {TOLERANCE}; nothing is written")
    TARGET.write_bytes(file)
    print(f"{TARGET.name}: {len(file):,} bytes, sha256 {hashlib.sha256(file).hexdigest()}")


if __name__ == "__main__":
    main()
