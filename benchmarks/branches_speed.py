"""Measures what batch normalization adds to a training step of the paper's net.

    python benchmarks/branches_speed.py --save

It compares three batch-normalized branches, computed in 16 or in 10 channels, with a net without
batch normalization.
"""

import paired

BATCH = 64


def _step(branches, lanes=None):
    def prepare():
        from ferkit.tensorflow_runtime import import_tensorflow

        import_tensorflow()
        from deep_emotion import reparameterized as branched
        from ferkit.comparison.speed import training_step
        from ferkit.recipes.named import named_recipe
        from ferkit.training.build_model import build_model, precision

        branched.LANES = lanes or branched.LANES
        recipe = named_recipe(
            "deep_emotion", "paper_best", precision="bfloat16", branches=branches, teacher=""
        )
        with precision(recipe):
            model = build_model(recipe, (48, 48, 1), tuple("abcdefg"))
        return training_step(model, recipe, BATCH)

    return prepare


CONTESTANTS = {
    "normalized, 16 lanes": _step(1),
    "normalized, 10 lanes": _step(1, 1),
    "three branches, 32 lanes": _step(3),
    "plain": _step(0),
}

if __name__ == "__main__":
    paired.main(
        __file__,
        "Branches of the paper net",
        CONTESTANTS,
        "normalized, 16 lanes",
        "images",
        BATCH,
        __doc__,
    )
