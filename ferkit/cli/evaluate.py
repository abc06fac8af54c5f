"""`evaluate`: measures a trained model on a split of a dataset."""

import argparse
import dataclasses
from pathlib import Path

import generate_data
from ferkit.cli.arguments import TTA, add_corruptions, add_data, check_positive
from ferkit.cli.which_model import ModelChoice, add_model_choice, resolve
from ferkit.files import write_json
from ferkit.models.shipped_weights import COMPILED_SUFFIXES
from ferkit.outputs import check_outputs, check_report_folder
from ferkit.tensorflow_runtime import import_tensorflow
from generate_data.manifest import DESCRIPTION

EXAMPLES = """\
examples:
  python main.py evaluate -d data
      best epoch of the newest run, on the validation split
  python main.py evaluate -d data --run runs/mine --split test --tta --json test.json
  python main.py evaluate -d data --weights best.keras --report report
  python main.py evaluate -d data --weights deep_emotion-fer2013 --split test --tta flip
  python main.py evaluate -d data --weights deep_emotion-fer2013 --corruptions --report report
      also on blurred, noisy, dark, turned and partly covered faces
  python main.py evaluate -d data --weights deep_emotion-fer2013 --groups people.csv
      also for each group: a CSV file with the columns path and, say, age and camera
  python main.py evaluate -d data --split unlabelled --submission submission.csv
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(ModelChoice):
    """What the user gave to `evaluate`.

    Attributes:
        data: folder of the dataset.
        split: name of the split; None: "val", or "unlabelled" for a submission.
        tta: test-time augmentation, one of ``TTA``.
        json: file for the figures.
        report: folder for the HTML report.
        submission: CSV file for the predictions.
        batch_size: images per batch; None: by the size of the images.
        corruptions: images to measure with corruptions; None: none.
        groups: CSV file with the groups of the images.
    """

    data: str
    split: str | None
    tta: str
    json: str | None
    report: str | None
    submission: str | None
    batch_size: int | None
    corruptions: int | None
    groups: str | None

    @property
    def split_name(self) -> str:
        """The split to measure on."""
        return self.split or ("unlabelled" if self.submission else "val")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `evaluate`."""
    add_data(parser)
    add_model_choice(parser, default="newest run")
    parser.add_argument(
        "--split",
        default=None,
        metavar="NAME",
        help="train, val, test or unlabelled (default: val)",
    )
    parser.add_argument(
        "--tta",
        type=str.lower,
        choices=TTA,
        nargs="?",
        const="flip",
        default="none",
        help="average over the image and its mirror image (flip), or over four corners, the center "
        "and their mirror images (ten-crop)",
    )
    parser.add_argument(
        "--json", default=None, metavar="FILE", help="write the figures as a JSON object"
    )
    parser.add_argument(
        "--report", default=None, metavar="DIR", help="write an HTML report with charts"
    )
    parser.add_argument(
        "--submission",
        default=None,
        metavar="FILE",
        help="write predictions as CSV (default split: unlabelled)",
    )
    parser.add_argument(
        "-bs",
        "--batch_size",
        type=int,
        default=None,
        metavar="N",
        help="images per batch (default: 256, fewer for large images)",
    )
    add_corruptions(parser)
    parser.add_argument(
        "--groups",
        default=None,
        metavar="FILE",
        help="also measure each group of images: a CSV file with the column path and one column or "
        "more of groups, such as age or camera",
    )


def run(options: Options) -> int:
    """Measure and write what was asked for; returns the exit code."""
    check_positive("--batch_size", options.batch_size)
    check_positive("--corruptions", options.corruptions)
    manifest = generate_data.read_manifest(options.data)
    path = resolve(options, default="newest run")
    _check_outputs(options, path)
    import_tensorflow()
    from ferkit.evaluation import evaluate, groups, inputs, robustness, selective  # late: Keras
    from ferkit.recognition import results, runtimes  # late: NumPy and OpenCV

    columns = None
    if options.groups:
        columns = groups.read_groups(options.groups, manifest, options.split_name)
    if path.suffix in COMPILED_SUFFIXES:
        runtime = runtimes.load_runtime(path)
        model, split = inputs.compiled_model_and_split(path, runtime, manifest, options.split_name)
    else:
        model = inputs.load_model(path, options.model, manifest.class_names)
        record = inputs.read_trained_on(path)
        split = inputs.load_fitting_split(model, manifest, options.split_name, record)
    print(f"{path} on {options.data}")
    if options.submission:
        logits = evaluate.split_logits(model, split, options.tta, options.batch_size)
        evaluate.write_submission(options.submission, split, logits)
        print(f"{len(split):,} predictions: {options.submission}")
        wants_figures = options.json or options.report or options.corruptions or columns
        if (split.labels < 0).any() and not wants_figures:
            return 0
    figures, probabilities = evaluate.evaluate_split(model, split, options.tta, options.batch_size)
    print(evaluate.format_evaluation(figures))
    if len(split) > 1:
        figures["selective"] = selective.measure_selective(probabilities, split.labels)
        print(f"\n{selective.format_selective(figures['selective'])}")
    if options.corruptions:
        figures["robustness"] = robustness.measure_robustness(
            model, split, results.UNSURE, options.corruptions, options.tta, options.batch_size
        )
        print(f"\n{robustness.format_robustness(figures['robustness'])}")
    if columns:
        figures["groups"] = groups.measure_groups(probabilities, split.labels, columns)
        print(f"\n{groups.format_groups(figures['groups'])}")
    if options.json:
        about = {"checkpoint": str(path), "data": options.data}
        write_json(options.json, {**about, **figures})
    if options.report:
        from ferkit.reporting import run_report  # late: Matplotlib, only for a report

        page = run_report.write_evaluation_report(
            options.report, path, figures, probabilities, split.labels
        )
        print(f"Report: {page}")
    return 0


def _check_outputs(options: Options, path: Path) -> None:
    data = Path(options.data)
    beside = [path.with_suffix(suffix) for suffix in (".json", ".md", ".tflite")]
    run = [path.with_name(name) for name in ("recipe.json", "history.csv")]
    read = [path, *beside, *run, data / generate_data.MANIFEST, data / DESCRIPTION]
    read += [Path(options.groups)] if options.groups else []
    check_outputs({"--json": options.json, "--submission": options.submission}, read)
    if options.report:
        check_report_folder("--report", options.report)
