"""A step with everything that accuracy needs: each against what it should be by hand."""

import numpy as np
import pytest
import tensorflow as tf

from ferkit.errors import UserError
from ferkit.evaluation.inference import BatchedLogits
from ferkit.input_pipeline.sharding import slice_of
from ferkit.models.saved_model import load_model
from ferkit.recipes.named import named_recipe
from ferkit.training.build_model import build_model, freeze_layers, precision, seed_everything
from ferkit.training.devices import one_device
from ferkit.training.step import TrainingStep

# No batch normalization, and a warp of noise would turn every last digit into another number: the
# paper's net, on smooth images.
PLAIN = {
    "variant": "paper",
    "dropout": 0.3,
    "optimizer": "momentum",
    "momentum": 0.0,
    "learning_rate": 0.01,
    "batch_size": 12,
}


def batch(rows=12):
    place = np.mgrid[:48, :48].sum(axis=0) / 30.0
    images = np.stack([128 + 90 * np.sin(place + row) for row in range(rows)])[..., None].astype(
        np.float32
    )
    labels = (np.arange(rows) % 7).astype(np.int32)
    targets = np.eye(7, dtype=np.float32)[labels]
    return [
        tf.constant(value) for value in (images, targets, labels, labels * 1000 + 7, np.int32(rows))
    ]


def step_of(**changes):
    recipe = named_recipe("deep_emotion", "paper", **{**PLAIN, **changes})
    seed_everything(0)
    with precision(recipe):
        model = build_model(recipe, (48, 48, 1), tuple("abcdefg"))
    # At the identity every sample lies on a pixel, where the gradient to theta jumps with the last
    # digit of its place.
    bias = model.get_layer("localization_theta").bias
    bias.assign(bias.numpy() + np.array([-0.11, 0.013, 0.023, 0.017, -0.13, 0.031], np.float32))
    if recipe.freeze:
        freeze_layers(model, recipe.freeze)
    return TrainingStep(model, recipe, one_device())


def run(step, times=1, rate=None):
    totals = tf.zeros(step.totals_size, tf.float64)
    for _ in range(times):
        totals = step(batch(), step.recipe.learning_rate if rate is None else rate, totals)
    return totals.numpy()


def test_totals_are_loss_times_rows_right_answers_rows_and_finite_steps():
    step = step_of(dropout=0.0, fc_penalty=0.0)
    images, _, labels, _, _ = batch()
    logits = BatchedLogits(step.model, images.shape[1:])(images.numpy().astype(np.uint8))
    totals = run(step, rate=0.0)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, step.model(images)).numpy()
    np.testing.assert_allclose(totals[0], losses.sum(), rtol=1e-5)
    assert totals[1] == (logits.argmax(axis=1) == labels.numpy()).sum()
    assert totals[2:].tolist() == [12.0, 1.0]


def test_a_batch_in_parts_is_the_batch():
    whole, parts = step_of(), step_of(accumulate_steps=5)  # of 2, 2, 3, 2 and 3 rows
    np.testing.assert_allclose(run(parts, 3), run(whole, 3), rtol=1e-5)
    for received, expected in zip(parts.variables, whole.variables, strict=True):
        np.testing.assert_allclose(
            received.numpy(), expected.numpy(), rtol=2e-4, atol=2e-6, err_msg=expected.path
        )


def test_the_parts_of_a_batch_are_as_equal_as_can_be():
    parts = [slice_of(tf.range(11), index, 4).numpy().tolist() for index in range(4)]
    assert parts == [[0, 1], [2, 3, 4], [5, 6, 7], [8, 9, 10]]


def test_clipping_bounds_the_norm_of_the_whole_gradient():
    def moved(clip_norm):
        step = step_of(clip_norm=clip_norm, learning_rate=1.0)
        before = [variable.numpy() for variable in step.loss.trainable_variables]
        run(step)
        after = step.loss.trainable_variables
        return np.concatenate([(a.numpy() - b).ravel() for a, b in zip(after, before, strict=True)])

    free, bounded, loose = moved(0.0), moved(0.01), moved(1e6)
    assert np.linalg.norm(free) > 0.05
    assert np.linalg.norm(bounded) == pytest.approx(0.01, rel=1e-3)
    np.testing.assert_allclose(bounded, free * 0.01 / np.linalg.norm(free), rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(loose, free, rtol=1e-5, atol=1e-8)


def test_averaged_weights_follow_their_formula_and_take_the_models_place_for_a_while():
    step = step_of(ema=0.9)
    kernel = step.model.get_layer("logits").kernel
    expected = kernel.numpy()
    for done in range(1, 4):
        run(step)
        momentum = min(0.9, (1 + done) / (10 + done))
        expected = momentum * expected + (1 - momentum) * kernel.numpy()
    own = kernel.numpy()
    with step.averaged.swapped_in():
        np.testing.assert_allclose(kernel.numpy(), expected, rtol=1e-5)
    np.testing.assert_array_equal(kernel.numpy(), own)
    assert not np.allclose(own, expected)


def test_batch_statistics_are_averaged_too():
    step = step_of(ema=0.9, variant="input_warp", dropout=0.0)
    moving = step.model.get_layer("normalization").moving_mean
    before = moving.numpy()
    run(step)
    after = moving.numpy()
    assert np.abs(after - before).max() > 1e-4
    with step.averaged.swapped_in():
        np.testing.assert_allclose(
            moving.numpy(), before + 9 / 11 * (after - before), rtol=1e-4, atol=1e-7
        )


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
@pytest.mark.parametrize("variant", ["paper", "input_warp"])
def test_mixed_precision_learns_and_is_saved_as_float32(kind, variant, tmp_path):
    step = step_of(
        precision=kind,
        variant=variant,
        dropout=0.0,
        optimizer="adam",
        learning_rate=0.003,
        fc_penalty=0.0,
    )
    assert step.model.get_layer("conv1").compute_dtype == kind
    assert {variable.dtype for variable in step.loss.trainable_variables} == {"float32"}
    first, last = run(step), [run(step) for _ in range(40)][-1]
    assert last[0] < 0.7 * first[0]
    assert last[3] == 1.0
    step.model.save(tmp_path / "mixed.keras")
    reloaded = load_model(tmp_path / "mixed.keras")
    assert reloaded.get_layer("conv1").compute_dtype == "float32"
    np.testing.assert_allclose(reloaded(batch()[0]), step.model(batch()[0]), rtol=0.1, atol=1.0)


def test_float16_leaves_out_steps_that_overflow():
    step = step_of(precision="float16", clip_norm=1.0)
    step.optimizer.dynamic_scale.assign(3e38)
    kernel = step.model.get_layer("logits").kernel
    before = kernel.numpy()
    run(step)
    np.testing.assert_array_equal(kernel.numpy(), before)
    assert float(step.optimizer.dynamic_scale.numpy()) == pytest.approx(1.5e38, rel=1e-3)
    step.optimizer.dynamic_scale.assign(1024.0)
    run(step)
    assert not np.array_equal(kernel.numpy(), before)


def test_weight_decay_spares_biases():
    moved = {}
    for decay in (0.0, 0.5):
        step = step_of(weight_decay=decay, optimizer="sgd")
        layer = step.model.get_layer("dense")
        layer.bias.assign(np.full(layer.bias.shape, 0.25))
        before = layer.kernel.numpy()
        run(step)
        moved[decay] = layer.kernel.numpy() - before, layer.bias.numpy()
    np.testing.assert_array_equal(moved[0.0][1], moved[0.5][1])
    np.testing.assert_allclose(moved[0.5][0] - moved[0.0][0], -0.5 * 0.01 * before, atol=1e-6)


def test_frozen_layers_keep_their_weights_and_statistics():
    step = step_of(
        variant="input_warp", freeze="localization, normalization", weight_decay=0.1,
        optimizer="adamw",
    )  # fmt: skip
    before = {layer.name: layer.get_weights() for layer in step.model.layers}
    run(step, times=2)
    for layer in step.model.layers:
        frozen = layer.name.startswith(("localization", "normalization"))
        for new, old in zip(layer.get_weights(), before[layer.name], strict=True):
            assert np.array_equal(new, old) == frozen, layer.name


@pytest.mark.parametrize(
    ("names", "line"),
    [
        ("backbone", "--freeze backbone: no layer 'backbone'; there are: conv1, conv2"),
        ("conv1,", "--freeze conv1,: no layer ''; there are"),
        ("conv,localization,dense,logits", "no layer is left to train; freeze fewer layers"),
    ],
)
def test_layers_that_cannot_be_frozen_are_one_line(names, line):
    with pytest.raises(UserError) as caught:
        step_of(freeze=names)
    assert line in str(caught.value)


def test_soft_targets_and_smoothing_are_what_the_loss_sees():
    step = step_of(dropout=0.0, fc_penalty=0.0, label_smoothing=0.2)
    images, _, labels, keys, count = batch()
    targets = np.random.default_rng(0).dirichlet(np.ones(7), 12).astype(np.float32) * np.linspace(
        0.5, 2, 12
    )[:, None].astype("f")
    log = np.asarray(tf.nn.log_softmax(step.model(images)))
    smooth = 0.8 * targets + 0.2 * targets.sum(axis=1, keepdims=True) / 7
    totals = step(
        (images, tf.constant(targets), labels, keys, count), 0.0, tf.zeros(4, tf.float64)
    ).numpy()
    assert totals[0] == pytest.approx(-(smooth * log).sum(), rel=1e-5)


def test_a_step_that_is_no_number_is_counted():
    step = step_of()
    layer = step.model.get_layer("logits")
    totals = tf.zeros(4, tf.float64)
    totals = step(batch(), 0.01, totals)
    layer.bias.assign(np.full(7, np.nan))
    totals = step(batch(), 0.01, totals)
    assert totals.numpy()[2:].tolist() == [24.0, 1.0]
