"""Training on datasets of image files, on generated folders of their exact layout."""

import json

import cv2
import keras
import numpy as np
import pytest

from ferkit.cli import main
from generate_data.manifest import read_manifest
from tests.support.command_line import fails

SMALL = ["--backbone", "convnext_atto", "--backbone_weights", "none", "--image_size", "32"]
SMALL += ["--epochs", "1", "--batch_size", "16"]
SMALL += ["--num_heads", "2"]


def write_face(path, rng, label):
    image = rng.integers(0, 90, (40, 40, 3))
    image[4 * label : 4 * label + 6] += 120
    cv2.imwrite(str(path), image.astype(np.uint8))


def make_affectnet(root, classes=8, train=64, val=16):
    """The official shape: images, and their labels as small .npy files of text."""
    rng = np.random.default_rng(0)
    for part, count in (("train_set", train), ("val_set", val)):
        for folder in ("images", "annotations"):
            (root / part / folder).mkdir(parents=True)
        for number in range(count):
            label = number % classes
            write_face(root / part / "images" / f"{number}.jpg", rng, label % 8)
            np.save(root / part / "annotations" / f"{number}_exp.npy", np.array(str(label)))
    return root


@pytest.fixture(scope="module")
def affectnet(tmp_path_factory):
    return make_affectnet(tmp_path_factory.mktemp("datasets") / "AffectNet")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def listing(folder):
    return sorted((str(path), path.stat().st_mtime_ns) for path in folder.rglob("*"))


@pytest.mark.slow
def test_the_affectnet_command_sets_up_trains_and_leaves_the_source_alone(affectnet, here, capsys):
    before = listing(affectnet)
    source = ["--dataset", "affectnet", "--aff_path", f"{affectnet}/"]
    assert main(["train", "-m", "dan", *source, *SMALL, "--run", "runs/a"]) == 0
    assert listing(affectnet) == before
    manifest = read_manifest("data/affectnet")  # without -d
    assert manifest.in_place
    assert len(manifest.class_names) == 8
    recipe = json.loads((here / "runs/a/recipe.json").read_text())["recipe"]
    assert (recipe["name"], recipe["sampling"], recipe["batch_size"]) == (
        "affectnet",
        "inverse_frequency",
        16,
    )
    columns = (here / "runs/a/history.csv").read_text().splitlines()[0].split(",")
    assert {"loss", "loss_affinity", "loss_partition"} <= set(columns)
    model = keras.models.load_model("runs/a/best.keras")
    assert model.input_shape == (None, 32, 32, 3)
    assert model.class_names == manifest.class_names
    # Evaluation on the published val, which is our test split.
    # Then more training, which needs no second set-up.
    evaluate = ["evaluate", "-d", "data/affectnet", "--run", "runs/a"]
    assert main([*evaluate, "--split", "test", "--json", "test.json"]) == 0
    assert json.loads((here / "test.json").read_text())["count"] == 16
    stamp = (here / "data/affectnet/manifest.csv").stat().st_mtime_ns
    more = ["--run", "runs/a", "--dataset", "affectnet", "--epochs", "2"]
    assert main(["train", "--resume", *more]) == 0
    assert (here / "data/affectnet/manifest.csv").stat().st_mtime_ns == stamp
    capsys.readouterr()
    # A model of eight classes on a dataset of seven.
    assert main(["setup", "--aff_path", str(affectnet), "--classes", "7", "-d", "seven"]) == 0
    assert "the model has the classes" in fails(
        ["evaluate", "-d", "seven", "--run", "runs/a"], capsys
    )


def test_images_of_a_dataset_can_be_of_another_size_and_colour_than_the_model(affectnet, here):
    assert main(["setup", "--aff_path", str(affectnet), "-d", "d"]) == 0
    words = ["--variant", "input_warp", "--image_size", "44", "--channels", "1", "--epochs", "1"]
    words += ["--batch_size", "16"]
    assert main(["train", "-d", "d", "--recipe", "input_warp", *words, "--run", "r"]) == 0
    assert keras.models.load_model("r/best.keras").input_shape == (None, 44, 44, 1)
    assert main(["evaluate", "-d", "d", "--run", "r", "--tta"]) == 0


@pytest.mark.slow
def test_rafdb_and_a_tree_of_class_folders(here):
    rng = np.random.default_rng(0)
    root = here / "RAF"
    (root / "Image/aligned").mkdir(parents=True)
    (root / "EmoLabel").mkdir()
    lines = []
    for part, count in (("train", 56), ("test", 14)):
        for number in range(1, count + 1):
            write_face(root / f"Image/aligned/{part}_{number:05d}_aligned.jpg", rng, number % 7)
            lines.append(f"{part}_{number:05d}.jpg {number % 7 + 1}")
    (root / "EmoLabel/list_patition_label.txt").write_text("\n".join(lines) + "\n")
    assert main(["train", "-m", "dan", "--raf_path", "RAF", *SMALL, "--run", "r"]) == 0
    recipe = json.loads((here / "r/recipe.json").read_text())["recipe"]
    assert (recipe["name"], recipe["optimizer"], recipe["l2"]) == ("rafdb", "momentum", 1e-4)
    for name in ("happy", "sadness", "bored"):
        for number in range(24):
            (here / "CK" / name).mkdir(parents=True, exist_ok=True)
            write_face(here / "CK" / name / f"{number}.png", rng, len(name))
    words = ["--recipe", "input_warp", "--image_size", "44", "--epochs", "1"]
    words += ["--batch_size", "16", "--run", "f"]
    assert main(["train", "--dataset", "folders", "--source", "CK", *words]) == 0
    assert keras.models.load_model("f/best.keras").class_names == ("happy", "sad", "bored")


@pytest.mark.slow
def test_the_short_form_trains_dan_on_fer2013(here, capsys):
    assert main(["setup", "--sample", "--sample-count", "210"]) == 0
    words = ["--backbone", "convnext_atto", "--stem_stride", "4", "--epochs", "1"]
    words += ["--batch_size", "32", "--run", "r"]
    assert main(["-t", "True", "-d", "data", "-m", "dan", *words]) == 0
    assert "dan, recipe fer2013" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--aff_path", "nowhere"], "nowhere"),
        (
            ["--dataset", "affectnet"],
            "no dataset in data/affectnet yet; name the folder to read with --aff_path DIR",
        ),
        (["--dataset", "folders"], "name the folder to read with --source DIR"),
        (["-m", "dan", "--backbone", "vgg16"], "invalid choice: 'vgg16' (choose from"),
        (["-m", "dan", "--num_heads", "-1"], "num_heads=-1"),
        (["-m", "dan", "--image_size", "16"], "`image_size` must be at least 16"),
        (["-m", "dan", "--backbone_weights", "imagenet"], "there are none for convnext_atto"),
        (["-m", "dan", "--backbone_weights", "lost.h5"], "lost.h5: no such file"),
        (["-m", "dan", "--variant", "paper"], "--variant: not an option of model dan"),
        (["--backbone", "resnet18"], "--backbone: not an option of model deep_emotion"),
        (["-m", "dan", "--erase_max_area", "0.01"], "--erase_max_area 0.01: out of range"),
        (["-m", "dan", "--channels", "2"], "invalid choice"),
    ],
)
def test_bad_input_is_one_line(words, message, here, capsys):
    if "dan" in words:
        assert main(["setup", "--sample", "--sample-count", "210"]) == 0
        if "16" in words:
            words = [*words[:-1], "12"]
    assert message in fails(["train", "--epochs", "1", "--batch_size", "16", *words], capsys)
    assert not list(here.glob("runs/*"))


def test_offline_imagenet_weights_say_so_in_one_line(affectnet, here, monkeypatch, capsys):
    def offline(*arguments, **options):
        raise Exception(
            "URL fetch failure on https://storage.googleapis.com: [Errno -3] "
            "Temporary failure in name resolution"
        )

    monkeypatch.setattr(keras.utils, "get_file", offline)
    words = [
        "train",
        "-m",
        "dan",
        "--aff_path",
        str(affectnet),
        "--batch_size",
        "16",
        "--image_size",
        "32",
        "--run",
        "r",
    ]
    line = fails(words, capsys)
    assert "cannot be fetched" in line
    assert "--backbone_weights none" in line
    assert not (here / "r").exists()


def test_a_dataset_of_another_kind_is_not_overwritten(affectnet, here, capsys):
    assert main(["setup", "--sample", "--sample-count", "70"]) == 0
    before = (here / "data/manifest.csv").read_bytes()
    assert "data" in fails(
        ["train", "-m", "dan", "-d", "data", "--aff_path", str(affectnet), *SMALL], capsys
    )
    assert (here / "data/manifest.csv").read_bytes() == before
