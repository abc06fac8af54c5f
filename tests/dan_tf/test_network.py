"""The DAN network: its parts fit together, save and load, and train."""

import inspect
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from dan_tf import BACKBONES, DAN, ConvNeXtBlock, build_backbone
from dan_tf.backbone import convnext, pretrained
from dan_tf.backbone.stochastic_depth import keyed_uniform
from dan_tf.normalization import BatchNormalization
from dan_tf.recipes import BACKBONES as BACKBONE_FLAGS
from dan_tf.recipes import OPTIONS, RECIPES
from ferkit.training.losses import TrainingLoss
from ferkit.training.step import row_keys

SMALL = {"backbone": "convnext_atto", "image_size": 48, "channels": 1}


def images(count=4, size=48, channels=1):
    return (
        np.random.default_rng(0).integers(0, 256, (count, size, size, channels)).astype("float32")
    )


@pytest.fixture(scope="module")
def small():
    keras.utils.set_random_seed(0)
    return DAN(**SMALL)


@pytest.mark.parametrize(
    "name", [name for name in BACKBONES if name not in ("convnext_small", "convnext_base")]
)
@pytest.mark.parametrize(("size", "stem_stride", "side"), [(48, 4, 1), (48, 2, 3), (64, 4, 2)])
def test_every_backbone_gives_a_map_by_its_stride(name, size, stem_stride, side):
    if (size, stem_stride) == (48, 4) and name in (
        "resnet18",
        "efficientnetv2-b0",
        "mobilenetv3-small",
        "efficientnet_lite0",
        "efficientnet_lite1",
        "efficientnet_lite2",
    ):
        side = 2  # these pad, so they round up
    backbone = build_backbone(name, size, 1, stem_stride)
    assert backbone.output.shape[1:3] == (side, side)


# In millions, with a classifier for ImageNet's 1000 classes: from arXiv 2201.03545, table 12, for
# tiny, and from timm for the smaller ones.
PUBLISHED = {
    "atto": 3.70,
    "femto": 5.22,
    "pico": 9.05,
    "nano": 15.59,
    "tiny": 28.59,
    "small": 50.22,
}


@pytest.mark.parametrize(("size", "millions"), PUBLISHED.items())
def test_backbones_have_the_published_number_of_parameters(size, millions):
    backbone = build_backbone(f"convnext_{size}", 32, 3)
    classifier = (backbone.output.shape[-1] + 1) * 1000
    assert (backbone.count_params() + classifier) / 1e6 == pytest.approx(millions, abs=0.006)


def test_recipes_name_the_backbones_and_options_there_are():
    assert BACKBONE_FLAGS == BACKBONES
    accepted = inspect.signature(DAN).parameters
    assert set(OPTIONS) <= set(accepted)
    assert all(set(recipe["model_options"]) <= set(OPTIONS) for recipe in RECIPES.values())


def test_head_width_follows_the_backbone(small):
    assert small.get_layer("head0").spatial_width == 104  # a third of 320, in steps of 8
    assert DAN("convnext_tiny", image_size=32).get_layer("head0").spatial_width == 256


@pytest.mark.parametrize("num_heads", [0, 1, 4])
def test_save_and_reload_give_the_same_logits_and_settings(num_heads, tmp_path):
    model = DAN(
        **SMALL, num_heads=num_heads, class_names=("a", "b", "c"), stem_stride=2, drop_path=0.1
    )
    model.for_training()  # leaves no trace in the file
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert again.get_config() == model.get_config()
    assert again.class_names == ("a", "b", "c")
    np.testing.assert_allclose(again(images()), model(images()), atol=1e-5)


def test_centers_exist_before_training_and_never_in_the_saved_file(small, tmp_path):
    training = small.for_training()
    centers = [variable for variable in training.trainable_variables if "center" in variable.path]
    assert [tuple(variable.shape) for variable in centers] == [(7, 320)]
    assert training.count_params() - small.count_params() == 7 * 320
    small.save(tmp_path / "m.keras")
    assert keras.models.load_model(tmp_path / "m.keras").count_params() == small.count_params()
    with zipfile.ZipFile(tmp_path / "m.keras") as file:
        assert b"center" not in file.read("config.json").replace(b"center_weight", b"")


def test_the_training_model_shares_every_weight(small):
    training = small.for_training()
    model_weights = {id(weight) for weight in small.trainable_weights}
    assert model_weights <= {id(weight) for weight in training.trainable_variables}
    outputs = training(images(), training=False)
    np.testing.assert_allclose(outputs["logits"], small(images()), atol=1e-5)
    assert outputs["features"].shape == (4, 320)
    assert outputs["heads"].shape == (4, 4, 320)
    # Fused heads are log-probabilities over the heads.
    np.testing.assert_allclose(np.exp(outputs["heads"]).sum(axis=1), 1.0, atol=1e-4)


def test_the_whole_loss_is_cross_entropy_and_its_weighted_terms():
    model = DAN(**SMALL, affinity_weight=0.5, center_weight=0.25, partition_weight=2.0)
    objective, labels = TrainingLoss(model), np.arange(4).astype("int32")
    assert objective.term_names == ("affinity", "center", "partition")
    outputs = objective.outputs(images())
    total, terms = objective.losses(labels, outputs)
    cross_entropy = keras.losses.sparse_categorical_crossentropy(
        labels, outputs["logits"], from_logits=True
    )
    assert float(total) == pytest.approx(
        float(np.mean(cross_entropy)) + sum(float(term) for term in terms), rel=1e-5
    )
    losses = model.for_training().terms
    by_hand = float(losses["partition"][1](labels, outputs["heads"]))
    assert float(terms[2]) == pytest.approx(2.0 * by_hand, rel=1e-5)


def test_terms_of_weight_zero_are_left_out():
    assert TrainingLoss(DAN(**SMALL, affinity_weight=0.0, partition_weight=0.0)).term_names == ()
    assert TrainingLoss(DAN(**SMALL, num_heads=0)).term_names == ("affinity",)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("num_heads", [1, 2])
def test_a_batch_of_one_and_a_single_head_give_finite_losses(num_heads, count):
    objective = TrainingLoss(DAN(**SMALL, num_heads=num_heads, center_weight=0.1))
    labels = np.zeros(count, "int32")
    with tf.GradientTape() as tape:
        total, terms = objective.losses(labels, objective.outputs(images(count)))
    gradients = tape.gradient(total, [variable.value for variable in objective.trainable_variables])
    assert np.isfinite(float(total))
    assert all(gradient is None or np.isfinite(gradient).all() for gradient in gradients)
    assert float(terms[-1]) == 0.0 if num_heads == 1 else float(terms[-1]) > 0.0
    assert all(
        np.isfinite(variable.numpy()).all()
        for variable in objective.variables
        if "seed" not in variable.path
    )


@pytest.mark.slow
def test_compile_and_fit_learn_with_the_models_own_loss(tmp_path):
    labels = np.arange(28) % 7
    pictures = np.zeros((28, 48, 48, 1), "float32")
    for picture, label in zip(pictures, labels, strict=True):
        picture[6 * label : 6 * label + 8] = 255
    keras.utils.set_random_seed(1)
    model = DAN(**SMALL, layer_scale=1.0, center_weight=0.01)
    training = model.for_training()
    training.compile(keras.optimizers.Adam(0.002), metrics=["accuracy"])
    history = training.fit(pictures, labels, epochs=12, batch_size=28, verbose=0).history
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert history["accuracy"][-1] > 0.8
    model.save(tmp_path / "trained.keras")
    np.testing.assert_allclose(
        keras.models.load_model(tmp_path / "trained.keras")(pictures), model(pictures), atol=1e-4
    )


# ---- stochastic depth ----


def test_dropped_rows_depend_on_their_keys_alone():
    block = ConvNeXtBlock(drop_path=0.5, layer_scale=1.0)
    x = np.random.default_rng(0).normal(size=(64, 6, 6, 8)).astype("float32")
    plain = block(x, training=False)
    block.row_keys = np.arange(64)
    first, again = block(x, training=True), block(x, training=True)
    np.testing.assert_array_equal(first, again)
    dropped = np.abs(first - x).max(axis=(1, 2, 3)) == 0
    np.testing.assert_array_equal(dropped, np.asarray(keyed_uniform(np.arange(64))) < 0.5)
    assert 16 < dropped.sum() < 48
    np.testing.assert_allclose((first - x)[~dropped], 2.0 * (plain - x)[~dropped], atol=1e-5)
    # The same row is dropped in another order, and in another batch.
    block.row_keys = np.arange(64)[::-1].copy()
    np.testing.assert_array_equal(
        np.abs(block(x, training=True) - x).max(axis=(1, 2, 3)) == 0, dropped[::-1]
    )


def test_keyed_uniform_is_uniform_and_known():
    values = np.asarray(keyed_uniform(np.arange(100_000)))
    assert values.min() >= 0.0
    assert values.max() < 1.0
    np.testing.assert_allclose(np.histogram(values, 10, (0, 1))[0], 10_000, atol=400)


def test_row_keys_reach_the_blocks_of_the_nested_backbone():
    model = DAN(**SMALL, drop_path=0.9, num_heads=1)
    with row_keys(model, tf.range(4)):
        first = model.for_training()(images(), training=True)["features"]
        again = model.for_training()(images(), training=True)["features"]
    np.testing.assert_array_equal(first, again)


# ---- weights of the backbone ----


def test_backbone_weights_from_a_dan_file(tmp_path):
    source = DAN(**SMALL, num_heads=2)
    source.save(tmp_path / "dan.keras")
    model = DAN(**SMALL, backbone_weights=str(tmp_path / "dan.keras"))
    before = model.get_layer("head0").get_weights()
    model.load_first_weights()
    pairs = zip(
        model.get_layer("backbone").get_weights(),
        source.get_layer("backbone").get_weights(),
        strict=True,
    )
    for received, expected in pairs:
        np.testing.assert_array_equal(received, expected)
    for received, expected in zip(model.get_layer("head0").get_weights(), before, strict=True):
        np.testing.assert_array_equal(received, expected)
    assert str(tmp_path) not in str(model.get_config())  # a saved model needs no other file


@pytest.mark.parametrize("channels", [1, 3])
def test_backbone_weights_from_the_file_of_keras_applications(channels, tmp_path, monkeypatch):
    published = keras.applications.ConvNeXtTiny(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    published.save_weights(tmp_path / "convnext_tiny_notop.weights.h5")
    # "imagenet" uses the same code after the download.
    monkeypatch.setattr(
        keras.utils, "get_file", lambda *a, **k: str(tmp_path / "convnext_tiny_notop.weights.h5")
    )
    model = DAN(
        "convnext_tiny", image_size=32, channels=channels, num_heads=0, backbone_weights="imagenet"
    )
    model.load_first_weights()
    gray = images(2, 32)
    expected = published(np.repeat(gray, 3, axis=-1))
    received = model.get_layer("backbone")(np.repeat(gray, channels, axis=-1))
    np.testing.assert_allclose(received, expected, atol=1e-4)


def test_published_files_are_pinned_by_hash(monkeypatch):
    asked = {}

    def get_file(name, url, cache_subdir, file_hash):
        asked.update(name=name, url=url, file_hash=file_hash)
        raise Exception(f"URL fetch failure on {url}: None -- [Errno -2] Name or service not known")

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    with pytest.raises(
        ValueError,
        match=r"cannot be fetched from https://.*Name or service not known"
        r".*--backbone_weights none",
    ):
        DAN(
            "convnext_tiny", image_size=32, num_heads=0, backbone_weights="imagenet"
        ).load_first_weights()
    assert asked["file_hash"] == pretrained.SHA256["convnext_tiny"]
    assert len(asked["file_hash"]) == 64


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("convnext_atto", "imagenet", "there are none for convnext_atto, only for convnext_tiny"),
        ("resnet18", "imagenet", "there are none for resnet18"),
        (
            "convnext_atto",
            "nowhere.h5",
            "nowhere.h5: no such file. Give a file with --backbone_weights FILE",
        ),
        ("convnext_atto", "text.h5", "keras.applications has no convnext_atto"),
        ("convnext_tiny", "text.h5", "text.h5: does not fit convnext_tiny"),
        ("resnet18", "text.h5", "resnet18 reads weights from .pth and .keras files only"),
        ("mobilenetv3-small", "text.h5", "text.h5: does not fit mobilenetv3-small"),
        ("resnet18", "other.keras", "other.keras: not a DAN with this backbone"),
    ],
)
def test_backbone_weights_that_cannot_be_had(name, weights, message, small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.h5").write_text("no weights")
    small.save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match=message):
        DAN(name, image_size=32, num_heads=0, backbone_weights=weights).load_first_weights()


# ---- arguments out of range ----


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"backbone": "vgg"},
            "`backbone` to be one of convnext_face, .*resnet18.* Received: backbone='vgg'",
        ),
        ({"stem_stride": 3}, "`stem_stride` to be 4, 2 or 1. Received: stem_stride=3"),
        (
            {"image_size": 24},
            "shrinks an image 32 times, so `image_size` must be at least 32, or a stem_stride of 2",
        ),
        ({"image_size": 4}, "must be at least 32. Received: image_size=4"),
        ({"class_names": ("one",)}, "`class_names` to have two or more"),
        ({"num_heads": -1}, "Received: num_heads=-1"),
        ({"drop_path": 1.0}, r"`drop_path` to be in \[0, 1\). Received: drop_path=1.0"),
        ({"affinity_weight": -1.0}, "`affinity_weight` to be at least 0"),
        ({"partition_weight": float("nan")}, "`partition_weight` to be at least 0"),
    ],
)
def test_impossible_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        DAN(**{**SMALL, **arguments})


def test_batch_normalization_in_half_precision_keeps_its_statistics_whole(rng):
    inputs = rng.normal(3.0, 2.0, (32, 5, 5, 4)).astype("float32")
    half, whole = BatchNormalization(dtype="mixed_bfloat16"), BatchNormalization()
    rounded = np.asarray(tf.cast(tf.cast(inputs, tf.bfloat16), tf.float32))
    outputs = half(rounded, training=True)
    assert outputs.dtype == tf.bfloat16
    np.testing.assert_allclose(
        tf.cast(outputs, tf.float32), whole(rounded, training=True), atol=0.02
    )
    for received, expected in zip(half.weights, whole.weights, strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-5)


# ---- bfloat16 and the backbone for small faces ----


def block_step(block, inputs):
    """Outputs in training, and the gradients to all weights, as float32."""
    with tf.GradientTape() as tape:
        outputs = block(inputs, training=True)
        scalar = tf.reduce_sum(
            tf.cast(outputs, tf.float32) * tf.cast(tf.range(outputs.shape[-1]), tf.float32)
        )
    gradients = tape.gradient(scalar, [weight.value for weight in block.trainable_variables])
    return np.asarray(tf.cast(outputs, tf.float32)), [
        np.asarray(tf.cast(gradient, tf.float32)) for gradient in gradients
    ]


@pytest.mark.parametrize("fast", ["auto", False])
def test_a_block_in_bfloat16_is_the_block_up_to_rounding(fast):
    inputs = np.random.default_rng(0).normal(size=(4, 6, 6, 16)).astype("float32")
    exact = ConvNeXtBlock(layer_scale=1.0, fast=False)
    exact.build(inputs.shape)
    for weight in exact.weights:
        weight.assign(np.random.default_rng(1).normal(0.1, 0.2, weight.shape))
    half = ConvNeXtBlock(layer_scale=1.0, fast=fast, dtype="mixed_bfloat16")
    half.build(inputs.shape)
    half.set_weights(exact.get_weights())
    outputs, gradients = block_step(half, inputs)
    expected, expected_gradients = block_step(exact, inputs)
    assert half(inputs).dtype == tf.bfloat16
    assert {weight.dtype for weight in half.weights} == {"float32"}
    np.testing.assert_allclose(outputs, expected, atol=0.03 * np.abs(expected).max())
    for weight, received, expected in zip(
        exact.weights, gradients, expected_gradients, strict=True
    ):
        difference = np.abs(received - expected).max()
        assert difference < 0.05 * np.abs(expected).max(), weight.name


def test_layer_norm_in_bfloat16_is_computed_in_float32():
    inputs = np.random.default_rng(0).normal(100.0, 1.0, (64, 8)).astype("float32")
    rounded = tf.cast(inputs, tf.bfloat16)
    half, whole = convnext.LayerNormalization(dtype="mixed_bfloat16"), convnext.LayerNormalization()
    expected = np.asarray(whole(tf.cast(rounded, tf.float32), training=True))
    outputs = half(rounded, training=True)
    assert outputs.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), expected, atol=0.02)


@pytest.mark.parametrize(("stride", "side"), [(4, 64), (2, 48), (1, 16)])
def test_the_backbone_for_faces_has_no_block_at_the_largest_map(stride, side):
    body = build_backbone("convnext_face", side, 1, stride)
    assert body.output_shape[1:3] == (side // (8 * stride),) * 2
    names = [layer.name for layer in body.layers]
    assert sum(name.endswith("_conv") and name.startswith("stem") for name in names) == 3
    assert not any(name.startswith("stage0") for name in names)
    assert sum(name.startswith("stage1_block") for name in names) == 2
    assert body.get_layer("stage1_block0").output.shape[1] == side // (2 * stride)
