"""`setup`: writes a dataset to disk. Also the dataset flags that `setup` and `train` share."""

import argparse
import dataclasses
from pathlib import Path

import generate_data
from ferkit.errors import UserError
from ferkit.hub.datasets import download_dataset
from generate_data.labels import DATASETS

EXAMPLES = """\
examples:
  python main.py setup -d data
      read the Kaggle files in data/ and write the dataset there
  python main.py setup -d data --source ~/Downloads/fer2013.csv.zip
  python main.py setup -d data/sample --sample
      draw 2,100 faces; no download needed
  python main.py setup -d data --ferplus fer2013new.csv
      add the votes of FER+
  python main.py setup -d data --skip-bad-rows
      skip unreadable rows and report their number
  python main.py setup --dataset affectnet --aff_path datasets/AffectNet --classes 7
  python main.py setup --dataset rafdb --raf_path datasets/RAF-DB -d data/rafdb
  python main.py setup --dataset folders --source datasets/CK+ -d data/ck
  python main.py setup --source datasets/affectnethq -d data/affectnethq
      read the parquet files of a dataset of the Hugging Face Hub
  python main.py setup -d data --from kaggle:msambare/fer2013
      download first, with your Kaggle token
  python main.py setup --dataset affectnet --from hf:OWNER/NAME
"""

# Flags for the source folder of these datasets, besides --source, which works for every dataset.
_SOURCE_FLAGS = {"affectnet": "aff_path", "rafdb": "raf_path"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetFlags:
    """Where a dataset comes from and where it goes, as the user gave it.

    Attributes:
        data: folder of the dataset that set-up writes.
        dataset: one of ``DATASETS``.
        aff_path, raf_path: source folder of AffectNet and of RAF-DB; imply the dataset.
        source: source file or folder of any dataset.
        classes: number of classes of AffectNet.
        skip_bad_rows: skip unreadable rows instead of failing.
    """

    data: str | None
    dataset: str | None
    aff_path: str | None
    raf_path: str | None
    source: str | None
    classes: int | None
    skip_bad_rows: bool

    @property
    def kind(self) -> str | None:
        """The dataset that the flags name or imply; None if they do not."""
        implied = "affectnet" if self.aff_path else "rafdb" if self.raf_path else None
        return self.dataset or implied

    @property
    def is_fer2013(self) -> bool:
        """FER2013 is the default, and the only dataset whose images set-up writes."""
        return self.kind in (None, "fer2013")

    @property
    def folder(self) -> str:
        """Folder of the dataset: that of --data, else data for FER2013 and data/NAME for others."""
        if self.data is not None:
            return self.data
        return "data" if self.is_fer2013 else f"data/{self.kind}"

    @property
    def source_flag(self) -> str:
        """The flag that names the source of this dataset."""
        return f"--{_SOURCE_FLAGS.get(self.kind or '', 'source')}"

    @property
    def image_source(self) -> str | None:
        """The source folder of a dataset of image files."""
        specific = {"affectnet": self.aff_path, "rafdb": self.raf_path}.get(self.kind or "")
        return specific or self.source


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(DatasetFlags):
    """What the user gave to `setup`.

    Attributes:
        download: address of a dataset on Kaggle or the Hugging Face Hub.
        ferplus: file with the FER+ votes.
        sample: draw sample faces.
        sample_count: how many.
        seed: decides the split and the drawn faces.
    """

    download: str | None
    ferplus: str | None
    sample: bool
    sample_count: int
    seed: int | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `setup`."""
    add_dataset(parser)
    group = add_setup_flags(parser)
    group.add_argument(
        "--seed",
        type=int,
        default=None,
        metavar="N",
        help="decides the split and the drawn faces (default: 0)",
    )


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``DatasetFlags``."""
    group = parser.add_argument_group("dataset")
    group.add_argument(
        "-d",
        "--data",
        default=None,
        metavar="DIR",
        help="dataset folder (default: data; data/NAME with --dataset NAME)",
    )
    group.add_argument(
        "--dataset",
        type=str.lower,
        choices=DATASETS,
        default=None,
        help="what the source holds (default: fer2013)",
    )
    group.add_argument(
        "--aff_path",
        metavar="DIR",
        help="folder of AffectNet, never modified; implies --dataset affectnet",
    )
    group.add_argument(
        "--raf_path",
        metavar="DIR",
        help="folder of RAF-DB, never modified; implies --dataset rafdb",
    )
    group.add_argument(
        "--classes",
        type=int,
        default=None,
        metavar="N",
        help="AffectNet: 8, or 7 without contempt (default: 8)",
    )
    group.add_argument(
        "--source",
        metavar="PATH",
        help="input file or folder; never modified (default: the dataset folder)",
    )
    group.add_argument(
        "--skip-bad-rows",
        action="store_true",
        help="skip unreadable rows and report their number",
    )


def add_setup_flags(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the flags that only `setup` has, except --seed; returns their group."""
    group = parser.add_argument_group("setup")
    group.add_argument(
        "--from",
        dest="download",
        metavar="ADDRESS",
        help="download the source: kaggle:OWNER/NAME, kaggle-competition:NAME or hf:OWNER/NAME",
    )
    group.add_argument(
        "--ferplus", metavar="FILE", help="fer2013new.csv: add the ten FER+ votes to every row"
    )
    group.add_argument(
        "--sample", action="store_true", help="draw sample faces as a Kaggle CSV and set it up"
    )
    group.add_argument(
        "--sample-count",
        type=int,
        default=2100,
        metavar="N",
        help="number of sample faces (default: 2100)",
    )
    return group


def run(options: Options) -> int:
    """Write the dataset and print a summary; returns the exit code."""
    seed = options.seed or 0
    if options.download:
        options = dataclasses.replace(options, source=_download(options.download, options))
    if options.sample:
        _draw_sample(options, seed)
    if options.kind is None and options.source and generate_data.is_image_source(options.source):
        options = dataclasses.replace(options, dataset="folders")
    if not options.is_fer2013:
        if options.sample or options.ferplus:
            raise UserError(
                f"--dataset {options.kind}", "takes neither --sample nor --ferplus", "drop them"
            )
        _set_up_images(options, seed)
        return 0
    summary = generate_data.set_up(
        options.folder,
        source=options.source,
        seed=seed,
        skip_bad_rows=options.skip_bad_rows,
        ferplus=options.ferplus,
    )
    print(generate_data.format_summary(summary))
    return 0


def _download(address: str, options: Options) -> str:
    """Download a dataset; returns its folder."""
    sources = {
        "--source": options.source,
        "--aff_path": options.aff_path,
        "--raf_path": options.raf_path,
        "--sample": options.sample,
    }
    other = next((flag for flag, given in sources.items() if given), None)
    if other:
        raise UserError(f"--from {address}", f"{other} gives another source", "drop one of the two")
    folder = download_dataset(address)
    print(f"Downloaded {address}: {folder}")
    return str(folder)


def _draw_sample(options: Options, seed: int) -> None:
    if options.source:
        raise UserError("--source", "--sample draws its own faces", "drop --source or --sample")
    if not options.is_fer2013:
        raise UserError(
            f"--dataset {options.kind}",
            "--sample draws faces in the format of FER2013",
            "drop one of the two",
        )
    file = generate_data.write_sample(options.folder, options.sample_count, seed)
    print(f"Drew {options.sample_count:,} sample faces: {file}")


def _set_up_images(options: DatasetFlags, seed: int = 0) -> None:
    """AffectNet, RAF-DB or a tree of class folders: the images stay where they are."""
    if not options.image_source or options.kind is None:
        raise UserError(
            f"--dataset {options.kind}",
            f"no dataset in {options.folder} yet",
            f"name the folder to read with {options.source_flag} DIR",
        )
    summary = generate_data.set_up_image_dataset(
        options.folder,
        options.kind,
        options.image_source,
        classes=options.classes,
        seed=seed,
        skip_bad_rows=options.skip_bad_rows,
    )
    print(generate_data.format_image_summary(summary))


def set_up_if_needed(options: DatasetFlags) -> None:
    """Set up a dataset of image files before training, unless the same one is set up already.

    It reports images that were added to the source folder, or removed, since set-up.
    """
    if not options.is_fer2013 and not _is_set_up(options):
        _set_up_images(options)
    elif (Path(options.folder) / generate_data.MANIFEST).is_file():
        change = generate_data.source_change(options.folder)
        if change:
            print(f"Warning: {change}")


def _is_set_up(options: DatasetFlags) -> bool:
    if not (Path(options.folder) / generate_data.MANIFEST).exists():
        return False
    about = generate_data.read_manifest(options.folder).description
    source = options.image_source
    same_source = (
        not source or Path(source).expanduser().resolve() == Path(about.get("source", "")).resolve()
    )
    same_classes = options.classes in (None, len(about["class_names"]))
    return about.get("dataset") == options.kind and same_source and same_classes
