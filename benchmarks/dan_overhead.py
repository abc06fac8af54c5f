"""Measures what DAN's heads and losses add to a training step of its backbone.

    python benchmarks/dan_overhead.py --save
    PIXELS=224 python benchmarks/dan_overhead.py --save

The peer, "backbone, linear head", averages the feature map and adds a dense layer. Both run in the
project's trainer, with SGD and momentum. BACKBONE=convnext_atto STRIDE=2 measures another backbone
or another stem stride.
"""

import os

import paired

SIZE = int(os.environ.get("PIXELS", "48"))
BACKBONE, STRIDE = os.environ.get("BACKBONE", "convnext_tiny"), int(os.environ.get("STRIDE", "4"))
BATCH = 64 if SIZE < 100 else 8


def _step(**options):
    def prepare():
        from ferkit.tensorflow_runtime import import_tensorflow

        import_tensorflow()
        from dan_tf import DAN
        from ferkit.comparison.speed import training_step
        from ferkit.recipes.named import named_recipe

        model = DAN(BACKBONE, image_size=SIZE, stem_stride=STRIDE, **options)
        return training_step(model, named_recipe("dan", "rafdb", l2=0.0), BATCH)

    return prepare


CONTESTANTS = {
    "backbone, linear head": _step(num_heads=0, affinity_weight=0.0),
    "DAN": _step(),
}

if __name__ == "__main__":
    title = f"DAN overhead {BACKBONE} {SIZE} px stem stride {STRIDE}"
    paired.main(__file__, title, CONTESTANTS, "DAN", "images", BATCH, __doc__)
