"""DAN against PyTorch, keras.applications and hand calculation, and on two replicas.

tests/golden/make_dan.py wrote the numbers of PyTorch.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from dan_tf import network
from dan_tf.attention import ChannelAttention, CrossAttentionHead, HeadFusion, SpatialAttention
from dan_tf.backbone import build_backbone, convnext, resnet
from dan_tf.backbone.pretrained import convert_convnext
from dan_tf.losses import AffinityLoss, CenterLoss, PartitionLoss
from dan_tf.normalization import BatchNormalization
from tests.golden import dan_inputs
from tests.golden.dan_inputs import case, class_case, cotangent

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "dan.npz") as arrays:
        return dict(arrays)


def close(received, expected, tolerance=1e-5, name=""):
    """Within `tolerance` of the largest expected value.

    That is stricter than an absolute tolerance for small gradients, and fair to large values.
    """
    largest = np.abs(expected).max()
    # Zero in double precision: an offset on a map of one pixel, which the next batch norm cancels.
    if largest < 1e-12:
        largest = 1.0
    np.testing.assert_allclose(
        received, expected, rtol=tolerance, atol=tolerance * largest, err_msg=name
    )


def by_name(layer):
    """The variables of a layer or model by the names in dan_inputs."""
    return {variable.path.removeprefix(f"{layer.name}/"): variable for variable in layer.variables}


def load(layer, name):
    """Set every weight of a layer to that of a case; both must have the same names."""
    arrays = {key: array for key, array in case(name).items() if not key.startswith("inputs")}
    variables = by_name(layer)
    assert set(variables) == set(arrays)
    for key, array in arrays.items():
        variables[key].assign(array)


def training_step(layer, name):
    """Outputs in training mode, and the gradients to inputs and weights by name."""
    inputs = tf.constant(case(name)["inputs"])
    watched = {
        "inputs": inputs,
        **{v.path.removeprefix(f"{layer.name}/"): v.value for v in layer.trainable_variables},
    }
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=True)
        scalar = tf.reduce_sum(outputs * cotangent(outputs.shape))
    return outputs, tape.gradient(scalar, watched)


def check(layer, name, golden, tolerance=1e-5, gradient_tolerance=1e-5):
    """All that the golden file knows about a case."""
    if not layer.built:
        layer.build(case(name)["inputs"].shape)
    load(layer, name)
    inference = layer(case(name)["inputs"], training=False)
    close(
        inference,
        golden.get(f"{name}/inference", golden[f"{name}/training"]),
        tolerance,
        "inference",
    )
    outputs, gradients = training_step(layer, name)
    close(outputs, golden[f"{name}/training"], tolerance, "training")
    keys = dan_inputs.names_with_gradient(name)
    assert set(gradients) == set(keys)
    for key, expected in dan_inputs.split(golden[f"{name}/gradients"], name, keys).items():
        close(gradients[key], expected, gradient_tolerance, f"gradient to {key}")
    if f"{name}/moved" in golden:
        if "inputs2" in case(name):
            layer(case(name)["inputs2"], training=True)
        keys, variables = dan_inputs.moving_names(name), by_name(layer)
        for key, expected in dan_inputs.split(golden[f"{name}/moved"], name, keys).items():
            close(variables[key], expected, name=key)


@pytest.mark.parametrize("fast", ["auto", False])
@pytest.mark.parametrize("name", ["block_large", "block_small", "block_pixel"])
def test_convnext_block(name, fast, golden):
    check(convnext.ConvNeXtBlock(fast=fast), name, golden)


def functional_model(name, function):
    """A model around `function`, of the case's input shape."""
    inputs = keras.Input(case(name)["inputs"].shape[1:])
    return keras.Model(inputs, function(inputs))


def test_whole_convnext(golden, monkeypatch):
    monkeypatch.setitem(convnext.SIZES, "convnext_golden", dan_inputs.CONVNEXT)
    check(
        functional_model("convnext", lambda pixels: convnext.convnext("convnext_golden", pixels)),
        "convnext",
        golden,
    )


def test_whole_resnet(golden, monkeypatch):
    """Stem and basic blocks with and without a strided shortcut, and their moving statistics."""
    convolution = resnet._convolution

    def narrow(x, filters, size, stride, name, relu=True):  # the stem's 64 channels are written out
        return convolution(
            x, dan_inputs.RESNET[0] if name == "stem" else filters, size, stride, name, relu
        )

    monkeypatch.setattr(resnet, "_convolution", narrow)
    monkeypatch.setattr(resnet, "CHANNELS", dan_inputs.RESNET)
    check(functional_model("resnet", resnet.resnet18), "resnet", golden)


class PlainBatchNormalization(BatchNormalization):
    """By keras.ops, as on other backends."""

    def _may_fuse(self):
        return False


@pytest.mark.parametrize("kind", [BatchNormalization, PlainBatchNormalization])
@pytest.mark.parametrize("name", ["norm_map", "norm_vector"])
def test_batch_normalization(name, kind, golden):
    check(kind(), name, golden)


@pytest.mark.parametrize("kind", [BatchNormalization, PlainBatchNormalization])
def test_batch_normalization_of_a_single_value(kind):
    """By definition: the variance is 0, so the output is the offset. PyTorch raises an error."""
    layer = kind()
    layer.build((None, 2))
    layer.set_weights(
        [np.array([2.0, 3.0]), np.array([0.5, -0.5]), np.array([1.0, 1.0]), np.array([4.0, 8.0])]
    )
    inputs = tf.constant([[10.0, -20.0]])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=True)
    np.testing.assert_array_equal(outputs, [[0.5, -0.5]])
    np.testing.assert_allclose(layer.moving_mean, [1.9, -1.1], rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, [3.6, 7.2], rtol=1e-6)
    np.testing.assert_array_equal(tape.gradient(outputs, inputs), [[0, 0]])


@pytest.mark.parametrize(
    ("name", "kind", "widths"),
    [
        ("spatial", SpatialAttention, (dan_inputs.WIDTH,)),
        ("spatial_pixel", SpatialAttention, (dan_inputs.WIDTH,)),
        ("channel", ChannelAttention, (dan_inputs.SQUEEZED,)),
        ("head", CrossAttentionHead, (dan_inputs.WIDTH, dan_inputs.SQUEEZED)),
    ],
)
def test_attention(name, kind, widths, golden):
    check(kind(*widths), name, golden)


class FusionOfStack(keras.layers.Layer):
    """HeadFusion with its list of heads as one array."""

    def build(self, input_shape):
        self.fusion = HeadFusion()

    def call(self, heads, training=False):
        return self.fusion(tf.unstack(heads, axis=1))


@pytest.mark.parametrize("name", ["fusion", "fusion_one"])
def test_head_fusion(name, golden):
    check(FusionOfStack(), name, golden)


def test_all_of_dan_behind_the_backbone(golden):
    def heads_to_logits(features):
        return network._classify(
            network._attend(features, dan_inputs.HEADS, dan_inputs.WIDTH), 7, dan_inputs.HEADS
        )

    check(functional_model("dan", heads_to_logits), "dan", golden)


def value_and_gradients(function, arrays):
    """Of ``function(**arrays)``."""
    tensors = {
        key: array.value if isinstance(array, keras.Variable) else tf.constant(array)
        for key, array in arrays.items()
    }
    with tf.GradientTape() as tape:
        tape.watch([tensor for tensor in tensors.values() if not isinstance(tensor, tf.Variable)])
        value = function(*tensors.values())
    return value, tape.gradient(value, tensors)


@pytest.mark.parametrize("name", list(dan_inputs.LABELS))
def test_losses_with_centers(name, golden):
    """Some classes have no row; batches of five and of one."""
    arrays, size = class_case(name), (dan_inputs.CLASSES, dan_inputs.FEATURES)
    loss = (
        AffinityLoss(*size) if name.startswith("affinity") else CenterLoss(*size, center_rate=None)
    )
    loss.centers.assign(arrays["centers"])
    labels = arrays["labels"][:, None] if name.endswith("one") else arrays["labels"]
    value, gradients = value_and_gradients(
        lambda features, centers: loss(labels, features),
        {"features": arrays["features"], "centers": loss.centers},
    )
    close(value, golden[f"{name}/value"])
    close(gradients["features"], golden[f"{name}/gradient/features"])
    close(tf.convert_to_tensor(gradients["centers"]), golden[f"{name}/gradient/centers"])


def test_an_absent_class_has_a_part_in_affinity_and_none_in_center_loss(golden):
    absent = 2
    assert absent not in dan_inputs.LABELS["affinity"]
    assert np.abs(golden["affinity/gradient/centers"][absent]).min() > 1e-4
    assert not golden["center/gradient/centers"][absent].any()


@pytest.mark.parametrize("average", ["inside", "outside"])
@pytest.mark.parametrize("name", list(dan_inputs.HEAD_SHAPES))
def test_partition_loss(name, average, golden):
    loss = PartitionLoss(average)
    value, gradients = value_and_gradients(
        lambda heads: loss(np.zeros(len(heads)), heads), {"heads": dan_inputs.heads(name)}
    )
    close(value, golden[f"{name}/{average}/value"])
    close(gradients["heads"], golden[f"{name}/{average}/gradient/heads"])


@pytest.mark.parametrize("average", ["inside", "outside"])
def test_partition_loss_of_one_head_is_zero(average, rng):
    assert (
        float(PartitionLoss(average)(np.zeros(3), rng.normal(size=(3, 1, 5)).astype("float32")))
        == 0.0
    )


def test_plain_center_loss_is_half_the_sum_unless_told_otherwise():
    features, labels = np.array([[1.0, 2.0], [3.0, 0.0]], "float32"), np.array([0, 1])
    for reduction, expected in (("sum", 7.0), ("sum_over_batch_size", 3.5)):  # 1/2 (1 + 4 + 9)
        loss = CenterLoss(2, 2, reduction=reduction)
        loss.centers.assign(np.zeros((2, 2)))
        assert float(loss(labels, features)) == pytest.approx(expected)
    assert CenterLoss(2, 2).reduction == "sum"


def test_centers_move_by_their_own_rule():
    """Wen et al. 2016, equation 4: c_j - rate * sum over its rows of (c_j - x_i) / (1 + n_j)."""
    loss = CenterLoss(3, 2, center_rate=0.5)
    loss.centers.assign([[0.0, 0.0], [1.0, 1.0], [5.0, -5.0]])
    loss.update_centers(
        np.array([0, 1, 0]), np.array([[3.0, 0.0], [3.0, 1.0], [0.0, 6.0]], "float32")
    )
    # class 0: 1/2 * (3, 6) / 3; class 1: 1/2 * (2, 0) / 2; class 2 has no row
    np.testing.assert_allclose(loss.centers, [[0.5, 1.0], [1.5, 1.0], [5.0, -5.0]], rtol=1e-6)
    loss.update_centers(
        np.array([[2]]), np.array([[9.0, -1.0]], "float32")
    )  # a batch of one, labels in a column
    np.testing.assert_allclose(loss.centers[2], [6.0, -4.0], rtol=1e-6)


def test_centers_of_the_optimizer_do_not_move_by_the_rule():
    loss = CenterLoss(2, 2, center_rate=None, seed=1)
    before = loss.centers.numpy()
    loss.update_centers(np.array([0, 1]), np.ones((2, 2), "float32"))
    np.testing.assert_array_equal(loss.centers, before)


@pytest.mark.parametrize(
    ("kind", "options", "trainable"),
    [
        (AffinityLoss, {"num_classes": 7, "num_features": 3, "seed": 2, "name": "pull"}, 1),
        (
            CenterLoss,
            {"num_classes": 7, "num_features": 3, "seed": 2, "reduction": "sum_over_batch_size"},
            0,
        ),
        (CenterLoss, {"num_classes": 7, "num_features": 3, "seed": 2, "center_rate": None}, 1),
        (PartitionLoss, {"average": "outside", "epsilon": 1e-3, "reduction": "sum"}, 0),
    ],
)
def test_losses_from_their_config_and_their_centers(kind, options, trainable):
    loss = kind(**options)
    config = loss.get_config()
    assert options.items() <= config.items()
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is kind
    assert again.get_config() == config
    if kind is PartitionLoss:
        return
    assert loss.centers.shape == (7, 3)
    assert loss.variables == [loss.centers]
    assert loss.trainable_variables == [loss.centers][:trainable]
    np.testing.assert_array_equal(again.centers, loss.centers)  # same seed, same centers


def test_centers_start_as_unit_gaussian():
    centers = AffinityLoss(8, 4000, seed=3).centers.numpy()
    assert abs(centers.std() - 1) < 0.02
    assert abs(centers.mean()) < 0.02
    assert np.abs(centers).max() > 3.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: AffinityLoss(1, 5),
            "at least 2 and `num_features` at least 1. Received: num_classes=1, num_features=5",
        ),
        (lambda: CenterLoss(2, 0), "Received: num_classes=2, num_features=0"),
        (
            lambda: CenterLoss(2, 2, center_rate=0.0),
            r"`center_rate` to be in \(0, 1\], or None. Received: center_rate=0.0",
        ),
        (lambda: CenterLoss(2, 2, center_rate=1.5), "Received: center_rate=1.5"),
        (lambda: PartitionLoss("both"), '"inside" or "outside". Received: average=\'both\''),
    ],
)
def test_impossible_losses_say_what_was_received(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.fixture(scope="module")
def applications_tiny():
    """keras.applications' ConvNeXt-Tiny with drawn weights, layer scale too."""
    model = keras.applications.ConvNeXtTiny(
        include_top=False, weights=None, input_shape=(64, 64, 3)
    )
    numbers = np.random.RandomState(0)
    for variable in model.weights:
        # Its depthwise kernels are (7, 7, 1, channels), so that the fan-in comes out right.
        variable.assign(dan_inputs.draw_weight(numbers, variable.path, variable.shape))
    assert not any(np.ptp(variable) == 0 for variable in model.weights)
    return model


def test_convnext_tiny_equals_keras_applications(applications_tiny, rng):
    ours = build_backbone("convnext_tiny", 64, 3)
    convert_convnext(applications_tiny, ours)
    pixels = rng.uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    expected = applications_tiny(pixels, training=False).numpy()
    assert expected.std() > 0.3
    np.testing.assert_allclose(ours(pixels, training=False), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(ours(pixels, training=True), expected, rtol=1e-4, atol=1e-4)


def test_the_gray_stem_equals_the_colour_stem_on_gray_pictures(applications_tiny, rng):
    gray = build_backbone("convnext_tiny", 64, 1)
    convert_convnext(applications_tiny, gray)
    pixels = rng.uniform(0, 255, (2, 64, 64, 1)).astype("float32")
    expected = applications_tiny(np.repeat(pixels, 3, axis=-1), training=False)
    np.testing.assert_allclose(gray(pixels, training=False), expected, rtol=1e-4, atol=1e-4)


def loss_step(strategy):
    """One step on a batch of eight by `strategy`, summed over replicas.

    Values and gradients of all terms, and the updated centers.
    """
    numbers = np.random.RandomState(5)

    def drawn(*shape):
        return numbers.normal(0, 1, shape).astype("float32")

    images, labels = drawn(8, 5), np.array([0, 2, 2, 3, 0, 0, 3, 2])
    with strategy.scope():
        to_features, to_heads = tf.Variable(drawn(5, 6)), tf.Variable(drawn(5, 18))
        losses = {
            "affinity": AffinityLoss(4, 6, seed=1),
            "center": CenterLoss(4, 6, center_rate=None, seed=2, reduction="sum_over_batch_size"),
            "inside": PartitionLoss("inside"),
            "outside": PartitionLoss("outside"),
        }
        ruled = CenterLoss(4, 6, center_rate=0.5, seed=3)

    def step(images, labels):
        results = {}
        for name, loss in losses.items():
            with tf.GradientTape() as tape:
                features = tf.matmul(images, to_features)
                heads = tf.reshape(tf.matmul(images, to_heads), (-1, 3, 6))
                value = loss(labels, heads if name in ("inside", "outside") else features)
            watched = {"features": to_features, "heads": to_heads}
            if hasattr(loss, "centers"):
                watched["centers"] = loss.centers.value
            gradients = tape.gradient(value, watched)
            found = {
                key: tf.convert_to_tensor(gradient)
                for key, gradient in gradients.items()
                if gradient is not None
            }
            results |= {
                f"{name}/value": value,
                **{f"{name}/{key}": gradient for key, gradient in found.items()},
            }
        ruled.update_centers(labels, features)
        return results

    def share(array):
        """Each replica's rows."""

        def rows(context):
            return tf.constant(
                np.split(array, context.num_replicas_in_sync)[context.replica_id_in_sync_group]
            )

        return strategy.experimental_distribute_values_from_function(rows)

    results = tf.function(strategy.run)(step, (share(images), share(labels)))
    results = {
        name: strategy.reduce("SUM", value, axis=None).numpy() for name, value in results.items()
    }
    copies = strategy.experimental_local_results(ruled.centers.value)
    return results, [copy.numpy() for copy in copies]


def loss_step_on_two_replicas_and_on_one():
    """Call it in a new process: devices are set before TensorFlow starts."""
    devices = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], devices)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    return loss_step(strategy), loss_step(tf.distribute.get_strategy())


def test_two_replicas_give_the_losses_and_gradients_of_the_whole_batch():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        (two, two_centers), (one, one_centers) = process.submit(
            loss_step_on_two_replicas_and_on_one
        ).result()
    assert len(two_centers) == 2
    assert (
        set(two)
        == set(one)
        == {
            *(
                f"{name}/{part}"
                for name in ("affinity", "center")
                for part in ("value", "features", "centers")
            ),
            *(f"{name}/{part}" for name in ("inside", "outside") for part in ("value", "heads")),
        }
    )
    for name, expected in one.items():
        close(two[name], expected, name=name)
    for centers in two_centers:
        close(centers, one_centers[0])
