"""Compares a training step in float32 with one in bfloat16.

    python benchmarks/precision_speed.py --save
    MODEL=deep_emotion RECIPE=best python benchmarks/precision_speed.py --repeats 3 --save
    MODEL=dan RECIPE=best python benchmarks/precision_speed.py --repeats 3 --save

bfloat16 is faster only on processors and GPUs with instructions for it.
"""

import os

import paired

MODEL, RECIPE = os.environ.get("MODEL", "deep_emotion"), os.environ.get("RECIPE", "input_warp")
BATCH = 64


def _step(kind):
    def prepare():
        from ferkit.tensorflow_runtime import import_tensorflow

        import_tensorflow()
        from ferkit.comparison.speed import training_step
        from ferkit.recipes.named import named_recipe
        from ferkit.training.build_model import build_model, precision

        recipe = named_recipe(MODEL, RECIPE, precision=kind)
        with precision(recipe):
            model = build_model(recipe, (48, 48, 1), tuple("abcdefg"))
        return training_step(model, recipe, BATCH)

    return prepare


CONTESTANTS = {kind: _step(kind) for kind in ("bfloat16", "float32")}

if __name__ == "__main__":
    paired.main(
        __file__, f"Precision {MODEL} {RECIPE}", CONTESTANTS, "bfloat16", "images", BATCH, __doc__
    )
