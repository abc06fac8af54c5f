"""Trains a model for some steps on made data and prints each step's loss and terms as JSON: run by
test_devices in processes
of their own, since devices are set before TensorFlow starts.

    python tests/step_losses.py MODEL STRATEGY DEVICES STEPS
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

CHANGES = {
    "deep_emotion": {
        "sampler": "keras",
        "dropout": 0.0,
        "fc_penalty": 0.01,
        "flip": False,
        "optimizer": "sgd",
        "learning_rate": 0.001,
    },
    "dan": {
        "stem_stride": 4,
        "num_heads": 2,
        "drop_path": 0.0,
        "center_weight": 0.1,
        "optimizer": "sgd",
        "learning_rate": 0.001,
        "flip": False,
        "rotation": 0.0,
        "shift": 0.0,
        "zoom": 0.0,
    },
}


def waves(labels, numbers):
    """Smooth images whose waves turn with the class.

    In noise, every last digit of a sampling place changes the gradient much.
    """
    import numpy as np

    rows, columns = np.mgrid[:48, :48] / 48.0
    phases, angles = numbers.uniform(0, 6.28, len(labels)), labels / 7 * 3.14
    along = rows * np.sin(angles)[:, None, None] + columns * np.cos(angles)[:, None, None]
    return np.uint8(128 + 100 * np.sin(9.0 * along + phases[:, None, None]))[..., None]


def losses(model_name, strategy, count, steps, **changes):
    """``(steps, totals)``: what every step added, and the weights behind the last."""
    from ferkit.training.devices import open_devices

    devices = open_devices(strategy, count if strategy == "mirrored" else None)

    import keras
    import numpy as np
    import tensorflow as tf

    from ferkit.input_pipeline.dataset import Split
    from ferkit.recipes.named import named_recipe
    from ferkit.training.build_model import build_model, seed_everything
    from ferkit.training.step import TrainingStep
    from tests.support.toy_data import CLASS_NAMES
    from tests.support.training_batches import training_batches

    recipe = named_recipe(model_name, {"deep_emotion": "input_warp", "dan": "fer2013"}[model_name])
    recipe = recipe.replace(**{"batch_size": 16, "epochs": 1000, **CHANGES[model_name], **changes})
    labels = (np.arange(88) % 7).astype(
        np.int32
    )  # of 16 and 8 rows: the last batch of an epoch is smaller
    images = waves(labels, np.random.default_rng(0))
    split = Split("train", images, labels, np.full(88, ""), np.arange(88), CLASS_NAMES, True)
    seed_everything(0)
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    with devices.scope():
        model = build_model(recipe, (48, 48, 1), CLASS_NAMES)
    if model_name == "deep_emotion":
        # At the identity every sample lies on a pixel, where bilinear sampling has a kink: its
        # gradient to theta jumps with the last digit of a coordinate, and so would the losses.
        bias = model.get_layer("localization_theta").bias
        bias.assign(bias.numpy() + np.array([-0.11, 0.013, 0.023, 0.017, -0.13, 0.031], np.float32))
    step = TrainingStep(model, recipe, devices)
    batches = training_batches(
        split,
        recipe,
        (48, 48, 1),
        worker=(devices.worker, devices.workers),
        drop_below=step.min_rows,
    )
    totals, rows = tf.zeros(step.totals_size, tf.float64), []
    while len(rows) < steps:
        for batch in batches.epoch(len(rows) // batches.steps):
            after = step(batch, recipe.learning_rate, totals)
            rows.append((after - totals).numpy().tolist())
            totals = after
    weights = [
        float(np.abs(variable.numpy().astype(np.float64)).sum()) for variable in step.variables
    ]
    return {
        "steps": rows[:steps],
        "weights": weights if len(rows) == steps else None,
        "rows": int(batch[-1]),
    }


if __name__ == "__main__":
    name, strategy, count, steps, *changes = sys.argv[1:]
    found = losses(
        name, strategy, int(count), int(steps), **json.loads(changes[0] if changes else "{}")
    )
    print("RESULT " + json.dumps(found), flush=True)
