"""The Deep-Emotion network."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from deep_emotion import DeepEmotion
from deep_emotion.keyed_dropout import KeyedDropout, keyed_uniform
from deep_emotion.normalization import FusedBatchNormalization
from deep_emotion.reparameterized import ReparameterizedConv2D, ReparameterizedDense
from deep_emotion.transformer import BoundedTheta
from ferkit.models.multiply_adds import multiply_adds
from ferkit.models.saved_model import load_model
from ferkit.training.run_folder import RunFolder
from ferkit.training.step import row_keys
from tests.golden.deep_emotion_inputs import images, weights

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
VARIANTS = ("paper", "input_warp", "residual")


def random_images(rng, count=4):
    return rng.integers(0, 256, (count, 48, 48, 1)).astype("float32")


@pytest.mark.parametrize(
    ("variant", "parameters"),
    [("paper", 47_657), ("input_warp", 66_877 + 20), ("residual", 776_199)],
)
def test_parameter_count_is_the_published_one(variant, parameters):
    assert DeepEmotion(variant).count_params() == parameters


def test_paper_warps_the_feature_map_and_the_port_warps_the_image():
    shapes = {
        variant: DeepEmotion(variant).get_layer("transformer").output.shape[1:]
        for variant in VARIANTS
    }
    assert shapes == {"paper": (9, 9, 10), "input_warp": (48, 48, 1), "residual": (48, 48, 1)}


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_starts_at_the_identity_transform(variant, rng):
    model = DeepEmotion(variant)
    theta = keras.Model(model.input, model.get_layer("localization_theta").output)
    np.testing.assert_array_equal(theta(random_images(rng)), [[1, 0, 0, 0, 1, 0]] * 4)


def test_paper_weights_are_gaussian_with_std_005():
    kernels = [
        layer.kernel.numpy().ravel()
        for layer in DeepEmotion("paper").layers
        if layer.name in ("dense", "conv2")
    ]
    values = np.concatenate(kernels)
    assert abs(values.std() - 0.05) < 0.002
    assert abs(values.mean()) < 0.002
    assert np.abs(values).max() > 0.12  # a Gaussian has tails, a uniform of that std ends at 0.087


def test_the_residual_net_keeps_its_budget_and_takes_any_size():
    assert multiply_adds(DeepEmotion("residual")) < 100e6
    assert [DeepEmotion("residual", image_size=size).output_shape for size in (44, 57)] == [
        (None, 7)
    ] * 2


def test_a_bounded_theta_starts_at_the_identity_and_stays_near():
    layer = BoundedTheta(bound=0.3, step=0.1)
    np.testing.assert_array_equal(layer(np.zeros((1, 6), "float32")), [[1, 0, 0, 0, 1, 0]])
    far = layer(np.array([[1e6, -1e6, 1e6, 5, -1e6, 0]], "float32"))
    np.testing.assert_allclose(far, [[1.3, -0.3, 0.3, 0.3 * np.tanh(0.5), 0.7, 0]], rtol=1e-6)
    assert BoundedTheta.from_config(layer.get_config()).get_config() == layer.get_config()


def test_fused_normalization_is_keras_own_but_for_an_unbiased_moving_variance(rng):
    inputs = tf.constant(rng.normal(2.0, 3.0, (8, 5, 5, 4)).astype("float32"))
    upstream = tf.constant(rng.normal(size=(8, 5, 5, 4)).astype("float32"))
    results = []
    for kind in (FusedBatchNormalization, keras.layers.BatchNormalization):
        layer = kind(momentum=0.9, epsilon=1e-5)
        layer.build(inputs.shape)
        layer.gamma.assign([0.5, 1.0, 1.5, 2.0])
        layer.beta.assign([0.1, 0.2, 0.3, 0.4])
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
        gradients = tape.gradient(outputs, [inputs, layer.gamma.value, layer.beta.value], upstream)
        moving = [layer.moving_mean.numpy(), layer.moving_variance.numpy()]
        results.append([outputs, *gradients, layer(inputs), *moving])
    fused, plain = results
    count = 8 * 5 * 5
    plain[-1] = 0.9 + (plain[-1] - 0.9) * count / (count - 1)
    for index, (received, expected) in enumerate(zip(fused, plain, strict=True)):
        np.testing.assert_allclose(
            received, expected, rtol=2e-4, atol=0.02 if index == 4 else 2e-5, err_msg=str(index)
        )


def test_fused_normalization_in_half_precision_has_whole_statistics(rng):
    inputs = np.asarray(
        tf.cast(tf.cast(rng.normal(2.0, 3.0, (8, 5, 5, 4)), tf.bfloat16), tf.float32)
    )
    half, whole = FusedBatchNormalization(dtype="mixed_bfloat16"), FusedBatchNormalization()
    outputs = half(inputs, training=True)
    assert outputs.dtype == tf.bfloat16
    np.testing.assert_allclose(
        tf.cast(outputs, tf.float32), whole(inputs, training=True), atol=0.03
    )
    for received, expected in zip(half.weights, whole.weights, strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-5)


def normalized_sum(layer, branches, x, kind):
    """The output of a reparameterized layer, computed with Keras's layers: sum of branches."""
    total = 0.0
    for branch in range(branches):
        outputs = slice(branch * layer.units, (branch + 1) * layer.units)
        plain = kind(use_bias=False)
        plain.build(x.shape)
        plain.kernel.assign(layer.kernel[..., outputs])
        norm = keras.layers.BatchNormalization(epsilon=1e-5)
        norm.build((*[None] * (x.ndim - 1), layer.units))
        norm.set_weights([weight.numpy()[outputs] for weight in layer.normalization.weights])
        total += norm(plain(x))
    return total


def drawn_statistics(layer, rng):
    """Random scales, offsets and moving statistics, unlike the initial ones."""
    shape = layer.normalization.gamma.shape
    layer.normalization.set_weights(
        [rng.normal(1, 0.5, shape), *rng.normal(size=(2, *shape)), rng.uniform(0.5, 2, shape)]
    )


@pytest.mark.parametrize("branches", [1, 3])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_a_branched_convolution_is_the_sum_of_its_normalized_branches(branches, padding, rng):
    x = rng.normal(size=(4, 9, 8, 2)).astype("float32")
    layer = ReparameterizedConv2D(10, 3, branches, padding, kernel_initializer="he_normal")
    layer.build(x.shape)
    drawn_statistics(layer, rng)
    kernel, bias = layer.folded()
    assert (tuple(kernel.shape), tuple(bias.shape)) == ((3, 3, 2, 10), (10,))

    def plain(use_bias):
        return keras.layers.Conv2D(10, 3, padding=padding, use_bias=use_bias)

    np.testing.assert_allclose(
        layer(x), normalized_sum(layer, branches, x, plain), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("branches", [1, 2])
def test_a_branched_dense_layer_is_the_sum_of_its_normalized_branches(branches, rng):
    x = rng.normal(size=(6, 12)).astype("float32")
    layer = ReparameterizedDense(5, branches)
    layer.build(x.shape)
    drawn_statistics(layer, rng)

    def plain(use_bias):
        return keras.layers.Dense(5, use_bias=use_bias)

    np.testing.assert_allclose(
        layer(x), normalized_sum(layer, branches, x, plain), rtol=1e-3, atol=1e-4
    )
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def test_branches_are_normalized_by_their_batch_in_training_and_by_what_they_kept_of_it_outside(
    rng,
):
    x = rng.normal(3.0, 2.0, size=(64, 9, 9, 2)).astype("float32")
    layer = ReparameterizedConv2D(10, branches=2)
    shown = np.asarray(layer(x, training=True))
    np.testing.assert_allclose(shown.mean(axis=(0, 1, 2)), 0.0, atol=1e-4)
    for _ in range(200):
        layer(x, training=True)  # the moving statistics become the batch's
    np.testing.assert_allclose(layer(x, training=False), shown, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("branches", [1, 3])
def test_folded_it_is_the_papers_net_number_for_number(branches, rng, tmp_path):
    model = DeepEmotion("paper", branches=branches, sampler="tensorflow")
    for layer in model.layers:
        if hasattr(layer, "normalization"):
            drawn_statistics(layer, rng)
    model.get_layer("localization_theta").kernel.assign(rng.normal(0, 0.05, (32, 6)))
    images, folded = random_images(rng), model.folded()
    assert folded.count_params() == DeepEmotion("paper").count_params() == 47_657
    assert folded.get_config() == {**model.get_config(), "branches": 0}
    assert folded.folded() is folded
    np.testing.assert_allclose(folded(images), model(images), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(model.for_export()(images), model(images), rtol=1e-4, atol=1e-4)
    RunFolder(tmp_path).save_model(model, tmp_path / "best.keras")
    kept = load_model(tmp_path / "best.keras")
    assert kept.get_config() == folded.get_config()
    np.testing.assert_allclose(kept(images), model(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_save_and_reload_give_the_same_logits_and_settings(variant, rng, tmp_path):
    model = DeepEmotion(variant, class_names=("a", "b", "c"), fc_penalty=0.01, dropout=0.2)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert again.get_config() == model.get_config()
    assert again.class_names == ("a", "b", "c")
    images = random_images(rng)
    np.testing.assert_allclose(again(images), model(images), atol=1e-6)


@pytest.mark.parametrize(
    "variant", ["paper", "input_warp", pytest.param("residual", marks=pytest.mark.slow)]
)
def test_plain_compile_and_fit_learn(variant, rng):
    labels = np.arange(28) % 7
    images = np.zeros((28, 48, 48, 1), "float32")
    for image, label in zip(images, labels, strict=True):
        image[6 * label : 6 * label + 8] = 255
    keras.utils.set_random_seed(1)
    model = DeepEmotion(variant, dropout=0.0)
    model.compile(
        keras.optimizers.Adam(0.003), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    losses = model.fit(images, labels, epochs=40, batch_size=28, verbose=0).history["loss"]
    assert losses[-1] < 0.6 * losses[0]


def test_the_penalty_is_lambda_times_the_squared_weights_of_the_last_two_dense_layers():
    model = DeepEmotion("paper", fc_penalty=0.5)
    for name, value in (("dense", 0.1), ("logits", 0.2)):
        kernel = model.get_layer(name).kernel
        kernel.assign(np.full(kernel.shape, value))
    assert float(sum(model.losses)) == pytest.approx(
        0.5 * (810 * 50 * 0.01 + 50 * 7 * 0.04), rel=1e-5
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "big"}, r"`variant` to be one of .* Received: variant='big'"),
        ({"image_size": 20}, "at least 44 pixels. Received: image_size=20"),
        ({"fc_penalty": -1.0}, "at least 0. Received: fc_penalty=-1.0"),
        ({"dropout": 1.0}, r"in \[0, 1\). Received: dropout=1.0"),
        ({"sampler": "fast"}, "Received: sampler='fast'"),
        ({"branches": -1}, "from 0 to 64.* Received: branches=-1, variant='paper'"),
        ({"branches": 2, "variant": "residual"}, "Received: branches=2, variant='residual'"),
    ],
)
def test_wrong_arguments_say_what_was_received(arguments, message):
    with pytest.raises(ValueError, match=message):
        DeepEmotion(**arguments)


@pytest.mark.parametrize("sampler", ["xla", "tensorflow", "keras"])
def test_the_port_equals_pytorch(sampler):
    """PyTorch's logits and gradients, which tests/golden/make_deep_emotion.py wrote."""
    model = DeepEmotion("input_warp", sampler=sampler)
    drawn, statistics = weights()
    for name, (kernel, bias) in drawn.items():
        model.get_layer(name).set_weights([kernel, bias])
    model.get_layer("normalization").set_weights(list(statistics.values()))
    golden = np.load(GOLDEN / "deep_emotion.npz")
    watched = [
        model.get_layer("localization_theta").bias.value,
        model.get_layer("conv1").kernel.value,
    ]
    with tf.GradientTape() as tape:
        logits = model(images(), training=False)
        loss = tf.reduce_sum(logits**2)
    to_theta, to_conv = tape.gradient(loss, watched)
    np.testing.assert_allclose(logits, golden["logits"], atol=1e-5)
    np.testing.assert_allclose(to_theta, golden["to_theta_bias"], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(to_conv, golden["to_conv1"], rtol=1e-3, atol=1e-5)


def test_keyed_dropout_is_a_function_of_its_keys_alone(rng):
    layer = KeyedDropout(0.5)
    values = np.ones((6, 500), "float32")
    layer.row_keys = tf.constant([5, 6, 7, 8, 9, 10])
    first = layer(values, training=True).numpy()
    np.testing.assert_array_equal(first, layer(values, training=True))
    layer.row_keys = tf.constant([10, 9, 8, 7, 6, 5])
    np.testing.assert_array_equal(first[::-1], layer(values, training=True))
    layer.row_keys = None
    assert not np.array_equal(layer(values, training=True), layer(values, training=True))
    np.testing.assert_array_equal(layer(values, training=False), values)


def test_keyed_dropout_drops_the_rate_and_keeps_the_mean():
    layer = KeyedDropout(0.3)
    layer.row_keys = tf.range(400)
    dropped = layer(np.ones((400, 300), "float32"), training=True).numpy()
    assert abs((dropped == 0).mean() - 0.3) < 0.005
    assert abs(dropped.mean() - 1.0) < 0.01


def test_keyed_uniform_looks_random_along_rows_and_columns():
    numbers = keyed_uniform(tf.range(1000), 600).numpy()
    assert numbers.min() >= 0
    assert numbers.max() < 1
    histogram = np.histogram(numbers, 20, (0, 1))[0] / numbers.size
    assert np.abs(histogram - 0.05).max() < 0.002
    for table in (numbers[:200], numbers[:, :200].T):
        correlation = np.corrcoef(table) - np.eye(200)
        assert np.abs(correlation).max() < 0.25
        assert abs(correlation.mean()) < 0.002


def test_row_keys_reach_the_model_and_leave_it(rng):
    model = DeepEmotion("input_warp")
    images = random_images(rng)

    def logits(keys):
        with row_keys(model, tf.constant(keys)):
            return model(images, training=True).numpy()

    np.testing.assert_allclose(logits([1, 2, 3, 4]), logits([1, 2, 3, 4]), atol=1e-5)
    assert np.abs(logits([1, 2, 3, 4]) - logits([9, 8, 7, 6])).max() > 1e-3
    assert model.get_layer("dropout").row_keys is None


@pytest.mark.parametrize(
    ("layer_class", "name"),
    [(ReparameterizedConv2D, "BranchedConv2D"), (ReparameterizedDense, "BranchedDense")],
)
def test_reparameterized_layers_are_stored_under_the_names_of_version_0_1(layer_class, name):
    assert keras.saving.get_registered_name(layer_class) == f"deep_emotion>{name}"
    assert layer_class.__name__ == name  # the name of its weights in a .keras file
