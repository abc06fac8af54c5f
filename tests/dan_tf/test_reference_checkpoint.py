"""The reference's DAN on ResNet-18 against PyTorch, from files of PyTorch.

tests/golden/make_dan_resnet18.py wrote the numbers of PyTorch.
"""

from pathlib import Path

import keras
import numpy as np
import pytest

import dan_tf
from dan_tf import build_backbone, load_reference
from dan_tf.backbone import load_backbone_weights
from dan_tf.backbone.torch_file import read_state_dict
from ferkit.models.saved_model import load_model
from generate_data import labels
from tests.golden import dan_resnet18_inputs as drawn
from tests.support.torch_files import state_file

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "dan_resnet18.npz"
RAFDB = dan_tf.REFERENCE_CLASSES["rafdb"]


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def state():
    return drawn.state_dict()


@pytest.fixture(scope="module")
def checkpoint(state, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "dan.pth"
    path.write_bytes(state_file(state))
    return path


@pytest.fixture(scope="module")
def reference(checkpoint):
    return load_reference(checkpoint, RAFDB)


def torchvision(state):
    """The backbone's tensors by torchvision's names, and a classifier."""
    names = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
    named = {"fc.weight": np.ones((1000, 512), "float16"), "fc.bias": np.ones(1000, "float16")}
    for name, array in state.items():
        if name.startswith("features."):
            _, position, rest = name.split(".", 2)
            named[f"{names[position]}.{rest}"] = array
    return named


def test_the_logits_of_a_whole_checkpoint_equal_pytorch(golden, reference):
    assert golden["logits"].std() > 0.3
    received = reference(drawn.images(), training=False)
    np.testing.assert_allclose(received, golden["logits"], rtol=0, atol=1e-4)


@pytest.mark.slow
def test_the_saved_model_is_one_of_this_program(golden, reference, tmp_path):
    reference.save(tmp_path / "reference.keras")
    saved = load_model(tmp_path / "reference.keras", "dan", RAFDB)
    np.testing.assert_allclose(saved(drawn.images()), golden["logits"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("form", ["a DAN's checkpoint", "torchvision", "DataParallel"])
def test_the_feature_map_equals_pytorch(form, golden, state, checkpoint, tmp_path):
    path = checkpoint
    if form != "a DAN's checkpoint":
        prefix = "module." if form == "DataParallel" else ""
        path = tmp_path / "resnet18.pth"
        named = {prefix + name: array for name, array in torchvision(state).items()}
        path.write_bytes(state_file(named, legacy=True))
    backbone = build_backbone("resnet18", drawn.SIDE, 3)
    load_backbone_weights(backbone, "resnet18", str(path))
    received = np.asarray(backbone(drawn.images(), training=False))[..., ::8]
    assert golden["features"].std() > 0.3
    np.testing.assert_allclose(received, golden["features"], rtol=0, atol=1e-4)


def test_a_gray_stem_gives_what_the_color_stem_gives_for_gray(checkpoint):
    """Except within three pixels of the edge, where PyTorch pads with a color."""
    gray = drawn.images(1)[:, :64, :64]
    maps = []
    for channels in (1, 3):
        backbone = build_backbone("resnet18", 64, channels)
        load_backbone_weights(backbone, "resnet18", str(checkpoint))
        stem = keras.Model(backbone.input, backbone.get_layer("stem_norm").output)
        maps.append(np.asarray(stem(np.repeat(gray, channels, -1)))[:, 2:-2, 2:-2])
    assert maps[1].std() > 0.3
    np.testing.assert_allclose(*maps, rtol=0, atol=1e-4)


def test_a_checkpoint_with_an_optimizer_as_pytorch_wrote_it(golden, tmp_path):
    (tmp_path / "checkpoint.pth").write_bytes(golden["checkpoint"].tobytes())
    state = read_state_dict(tmp_path / "checkpoint.pth")
    assert list(state) == ["weight", "bias"]
    np.testing.assert_array_equal(state["weight"], np.arange(6).reshape(2, 3))


def test_the_classes_of_the_reference_are_those_of_the_datasets():
    assert {
        "affectnet7": labels.AFFECTNET[:7],
        "affectnet8": labels.AFFECTNET,
        "rafdb": labels.RAFDB,
    } == dan_tf.REFERENCE_CLASSES


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"fc.weight": np.ones((8, 512), "float32")}, "has 8 classes, 7 class names were given"),
        ({"cat_head1.sa.extra": np.ones(2, "float32")}, "unknown 'cat_head1.sa.extra'"),
        ({"features.4.0.bn1.bias": np.ones(3, "float32")}, r"'layer1.0.bn1.bias' has shape \(3,\)"),
        ({"features.7.1.conv2.weight": None}, "no 'layer4.1.conv2.weight'"),
        ({"cat_head3.ca.attention.3.bias": None}, "no 'cat_head3.ca.attention.3.bias'"),
    ],
)
def test_a_checkpoint_that_does_not_fit(change, problem, state, tmp_path):
    changed = {name: array for name, array in (state | change).items() if array is not None}
    (tmp_path / "dan.pth").write_bytes(state_file(changed))
    pattern = rf"dan\.pth: not a checkpoint of the reference DAN \(.*{problem}.*github.com/yaoing"
    with pytest.raises(ValueError, match=pattern):
        load_reference(tmp_path / "dan.pth", RAFDB)


def test_other_files_are_no_checkpoint(state, tmp_path):
    (tmp_path / "resnet.pth").write_bytes(state_file({"conv1.weight": np.ones(3, "float32")}))
    with pytest.raises(ValueError, match=r"no 'cat_head0' and 'fc' in it"):
        load_reference(tmp_path / "resnet.pth", RAFDB)
    backbone = build_backbone("resnet18", 64, 3)
    before = backbone.get_weights()
    pattern = r"resnet\.pth: not weights of resnet18 \(no 'bn1\.bias'.*--backbone_weights FILE"
    with pytest.raises(ValueError, match=pattern):
        load_backbone_weights(backbone, "resnet18", str(tmp_path / "resnet.pth"))
    for array, weight in zip(before, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(array, weight)


def test_the_width_of_channel_attention_is_kept():
    small = {"image_size": 32, "channels": 1, "num_heads": 1}
    model = dan_tf.DAN("convnext_atto", channel_width=5, **small)
    kernel = model.get_layer("head0").channel.squeeze.kernel
    assert kernel.shape == (320, 5)
    assert dan_tf.DAN.from_config(model.get_config()).channel_width == 5
    assert dan_tf.DAN("convnext_atto", **small).get_layer("head0").channel_width == 320 // 24
    with pytest.raises(ValueError, match="channel_width=-1"):
        dan_tf.DAN("convnext_atto", channel_width=-1, **small)
