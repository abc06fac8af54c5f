"""`compare`: trains several contestants by one recipe and shows what each reaches and costs."""

import argparse
import dataclasses
import shlex
import time
from pathlib import Path

import generate_data
from ferkit.cli.arguments import add_data, model_name
from ferkit.cli.recipe_flags import (
    RecipeFlags,
    add_model_and_recipe,
    add_recipe_values,
    recipe_from_options,
)
from ferkit.comparison.contestants import choose_contestants, default_model
from ferkit.comparison.plan import ComparisonPlan, read_plan
from ferkit.input_pipeline.fingerprint import fingerprint_of
from ferkit.models.registry import MODELS
from ferkit.process import program
from ferkit.recipes.fit_checks import check_batch_fits, fit_votes
from ferkit.tensorflow_runtime import import_tensorflow

EXAMPLES = """\
examples:
  python main.py compare -d data --backbones convnext_atto resnet18 --epochs 5 --seeds 0 1 2
  python main.py compare -d data --ablate heads partition affinity --epochs 5
  python main.py compare -d data --backbones convnext_atto resnet18 --ablate heads --epochs 5
  python main.py compare -d data --models deep_emotion dan --epochs 5
  python main.py compare -d data --folder runs/compare-2026-05-04_12-00-00
      continue after Ctrl-C, a crash or kill -9

Each pair of contestant and seed is trained in a run folder inside --folder. Recipe flags apply to
all contestants. --ablate trains the full model, the model without each of the named parts, and the
plain backbone.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(RecipeFlags):
    """What the user gave to `compare`.

    Attributes:
        data: folder of the dataset.
        backbones: backbones to compare.
        ablate: parts of the model to leave out.
        models: models to compare.
        seeds: seeds to train each contestant with.
        folder: folder of the comparison; None: a new one in runs/.
    """

    data: str
    backbones: list[str] | None
    ablate: list[str] | None
    models: list[str] | None
    seeds: list[int] | None
    folder: str | None

    @property
    def names_contestants(self) -> bool:
        """Whether the user named what to compare, by any flag."""
        return bool(self.backbones or self.ablate or self.models or self.model or self.recipe)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `compare`."""
    add_data(parser)
    group = parser.add_argument_group(
        "contestants", "One of --backbones, --ablate and --models; or --backbones with --ablate."
    )
    group.add_argument(
        "--backbones", nargs="+", metavar="NAME", help="the model with each of these backbones"
    )
    group.add_argument(
        "--ablate",
        nargs="+",
        metavar="PART",
        help="the full model, the model without each of these parts, and the plain backbone",
    )
    group.add_argument(
        "--models",
        nargs="+",
        type=model_name,
        choices=list(MODELS),
        metavar="NAME",
        help=f"models, each with its own recipe: {', '.join(MODELS)}",
    )
    add_model_and_recipe(group, default_model())
    group.add_argument(
        "--seeds",
        nargs="+",
        type=int,
        default=None,
        metavar="N",
        help="train each contestant with each of these seeds (default: 0)",
    )
    group.add_argument(
        "--folder",
        default=None,
        metavar="DIR",
        help="a new folder, or that of a comparison to continue "
        "(default: runs/compare-<date-time>)",
    )
    add_recipe_values(parser, leave_out=("seed",))


def run(options: Options) -> int:
    """Train, measure and compare; returns the exit code: 1 if a training failed, 130 if stopped."""
    folder = Path(options.folder or f"runs/compare-{time.strftime('%Y-%m-%d_%H-%M-%S')}")
    earlier = read_plan(folder)
    manifest = generate_data.read_manifest(options.data)
    if earlier and not options.names_contestants:
        recipes = {
            name: recipe.replace(**options.overrides)
            for name, recipe in earlier.contestants.items()
        }
    else:
        dataset = manifest.description.get("dataset")
        recipes = choose_contestants(
            lambda model: recipe_from_options(options, dataset, model),
            backbones=options.backbones,
            ablate=options.ablate,
            models=options.models,
            model=options.model,
            backbone=options.overrides.get("backbone"),
        )
    recipes = {
        name: fit_votes(recipe, manifest, options.overrides) for name, recipe in recipes.items()
    }
    seeds = options.seeds or (earlier.seeds if earlier else [0])
    comparison = ComparisonPlan(recipes, tuple(seeds), fingerprint_of(manifest))
    for recipe in recipes.values():
        check_batch_fits(recipe, manifest)
    import_tensorflow()
    from ferkit.comparison import runner  # late: TensorFlow

    code = runner.run_comparison(folder, comparison, manifest)
    if code == 130:
        words = shlex.join(["compare", "--folder", str(folder), "-d", options.data])
        print(f"Stopped; nothing is lost. Resume it with: {program()} {words}")
    return code
