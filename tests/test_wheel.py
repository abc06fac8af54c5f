"""A wheel built from the tracked files predicts in an environment with its dependencies alone."""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from ferkit.demo.steps import ASTRONAUT
from ferkit.models.shipped_weights import shipped_weights

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("deep_emotion", "dan_tf", "ferkit", "generate_data", "model_presets")


def required(distribution, found):
    """Names of the distributions that one needs, without its extras, and what those need."""
    for line in metadata.requires(distribution) or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            name = requirement.name.lower().replace("_", "-")
            if name not in found:
                found.add(name)
                required(name, found)
    return found


def link_distribution(name, site):
    """Make an installed distribution importable from `site`, as if pip had installed it there."""
    files = metadata.distribution(name).files
    for top in {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}:
        source, target = Path(metadata.distribution(name).locate_file(top)), site / top
        if not target.exists():
            target.symlink_to(source)
        elif target.is_symlink() and source.is_dir() and target.resolve() != source.resolve():
            raise AssertionError(f"{top} comes from two places")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # building leaves files behind
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, source / package, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    subprocess.run([*build, "-w", str(folder), str(source)], check=True, cwd=folder)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """Python of an environment in which only the wheel and its dependencies are installed."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
        (text,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(text).decode().splitlines()
    names = [line.removeprefix("Requires-Dist: ") for line in lines if "Requires-Dist" in line]
    needed = set()
    for requirement in map(Requirement, names):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            needed |= {requirement.name, *required(requirement.name, set())}
    for name in needed:
        link_distribution(name, site)
    return folder / "bin" / "python"


def run(python, *words, folder):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [python, *words], env=environment, cwd=folder, capture_output=True, text=True
    )


@pytest.mark.skipif(sys.platform == "win32", reason="links to installed packages")
def test_the_wheel_predicts_without_tensorflow(python, tmp_path):
    program = "import sys; from ferkit.cli import main; sys.exit(main())"
    words = ["predict", str(ASTRONAUT), "--json", "faces.json"]
    done = run(python, "-c", program, *words, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    (face,) = json.loads((tmp_path / "faces.json").read_text())
    assert face["label"] == "happy"
    absent = run(python, "-c", "import tensorflow", folder=tmp_path)
    assert "No module named 'tensorflow'" in absent.stderr
    train = run(python, "-c", program, "train", folder=tmp_path)
    assert 'install with: pip install "deep-emotion-keras[train]"' in train.stderr


def test_the_wheel_contains_all_weights_with_their_cards(wheel):
    with zipfile.ZipFile(wheel) as archive:
        for path in shipped_weights().values():
            for suffix in (".keras", ".tflite", ".json", ".md"):
                name = path.with_suffix(suffix).relative_to(ROOT).as_posix()
                assert archive.read(name) == (ROOT / name).read_bytes()
