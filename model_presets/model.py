"""The methods for presets that every model has."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np

from model_presets.archive import figures_of, read_config, unpack
from model_presets.hubs import FORMS, download, is_address, upload
from model_presets.layout import (
    CARD,
    CONFIG,
    FIGURES,
    METADATA,
    TRAINED_ON,
    WEIGHTS,
    WEIGHTS_SHA256,
    is_preset,
    sha256,
)

__all__ = ["PresetModel", "upload_preset"]


class PresetModel(keras.Model):
    """A Keras model with ``from_preset`` and ``save_to_preset``.

    Attributes:
        weights_folder: the folder of the presets that ship with the class.
        preset_files: name -> content of the files beside config and weights: the model card, the
            figures of the release, the record of the training data, the compiled file.
    """

    weights_folder: Path
    preset_files: dict[str, bytes]
    _preset_weights: str  # checksum of the weights that these files describe

    @classmethod
    def presets(cls) -> dict[str, Path]:
        """Name -> .keras file of the presets that ship with this class."""
        return {file.stem: file for file in sorted(cls.weights_folder.glob("*.keras"))}

    @classmethod
    def from_preset(cls, preset: str | Path) -> Self:
        """A trained model.

        Args:
            preset: a name of ``presets()``; "hf://OWNER/NAME";
                "kaggle://OWNER/MODEL/FRAMEWORK/VARIATION"; or a folder of ``save_to_preset``.

        Raises:
            ValueError: no such preset, or one of another class; names both.
            ModuleNotFoundError: an address needs huggingface_hub or kagglehub.
            Exception: what that library raises: offline, refused, not found.

        Example:
            >>> model = DAN.from_preset("dan-fer2013")
            >>> logits = model(images)
        """
        shipped = cls.presets()
        if str(preset) in shipped:
            return cls._from_archive(shipped[str(preset)])
        folder = download(str(preset)) if is_address(str(preset)) else Path(preset)
        if not is_preset(folder):
            problem = f"has no {CONFIG} and {WEIGHTS}" if folder.is_dir() else "no such preset"
            known = ", ".join([*shipped, *FORMS.values()])
            raise ValueError(f"{preset}: {problem}. Give {known} or the folder of a preset.")
        return cls._from_folder(folder, str(preset))

    @classmethod
    def _from_archive(cls, archive: Path) -> Self:
        """The model of a .keras file, with the files beside it."""
        with tempfile.TemporaryDirectory() as folder:
            unpack(archive, Path(folder))
            return cls._from_folder(Path(folder), archive.stem)

    @classmethod
    def _from_folder(cls, folder: Path, preset: str) -> Self:
        config = read_config(folder, preset)
        expected = keras.saving.get_registered_name(cls)
        found = config.get("registered_name") or config.get("class_name")
        if found != expected:
            raise ValueError(
                f"{preset}: contains a {str(found).rpartition('>')[2]}, expected a {cls.__name__}. "
                "Load it with its own class."
            )
        model = _loaded(cls, config["config"], folder / WEIGHTS, preset)
        kept = [file for file in sorted(folder.iterdir()) if _is_kept(file)]
        files = {file.name: file.read_bytes() for file in kept}
        is_released = FIGURES not in files or figures_of(folder) is not None
        model.preset_files = files if is_released else _of_changed_weights(files)
        model._preset_weights = _digest(model)
        return model

    def save_to_preset(self, folder: str | Path) -> None:
        """Save the model as a preset: config, weights, and the files that it was loaded with.

        Figures, card and compiled file of a release hold for its weights only: they are left out
        if the weights have changed since, and the record of the training data becomes incomplete.

        Args:
            folder: made if necessary; files of an earlier preset in it are replaced.

        Raises:
            ValueError: the folder has files and is not a preset; nothing is changed.

        Example:
            >>> model.save_to_preset("faces")
            >>> DAN.from_preset("faces")
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not is_preset(folder):
            raise ValueError(f"{folder}: has other files than a preset's. Give a new folder.")
        for earlier in [file for file in folder.iterdir() if _is_kept(file)]:
            earlier.unlink()
        with tempfile.TemporaryDirectory() as temporary:
            archive = Path(temporary) / "model.keras"
            self.save(archive)
            unpack(archive, folder)
        self._describe(folder)
        files = dict(getattr(self, "preset_files", {}))
        if files and self._preset_weights != _digest(self):
            files = _of_changed_weights(files)
        if FIGURES in files:
            figures = json.loads(files[FIGURES])
            figures[WEIGHTS_SHA256] = sha256(folder / WEIGHTS)
            files[FIGURES] = json.dumps(figures, indent=2).encode()
        for name, content in files.items():
            (folder / name).write_bytes(content)

    def _describe(self, folder: Path) -> None:
        """Add what keras-hub writes to the metadata."""
        described = json.loads((folder / METADATA).read_text(encoding="utf-8"))
        described |= {"parameter_count": self.count_params(), "tasks": ["ImageClassifier"]}
        (folder / METADATA).write_text(json.dumps(described, indent=4), encoding="utf-8")


def _loaded(cls: type[Any], config: dict[str, Any], weights: Path, preset: str) -> Any:
    """The model of a configuration with its weights."""
    try:
        model = cls.from_config(config)
        model.load_weights(str(weights))
    except Exception as error:  # the errors of h5py and Keras depend on the content of the file
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise ValueError(f"{preset}: damaged, or of another version ({reason}).") from error
    return model


def _is_kept(file: Path) -> bool:
    """Whether a file of a preset is neither config, metadata nor weights."""
    return file.name in (CARD, FIGURES, TRAINED_ON) or file.suffix == ".tflite"


def _digest(model: keras.Model) -> str:
    """A checksum of all weights."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()


def _of_changed_weights(files: dict[str, bytes]) -> dict[str, bytes]:
    """What still holds: the record of the training data, which is no longer complete."""
    if TRAINED_ON not in files:
        return {}
    record = json.loads(files[TRAINED_ON]) | {"complete": False}
    return {TRAINED_ON: json.dumps(record).encode()}


def upload_preset(uri: str, folder: str | Path) -> None:
    """Upload a preset with the user's token.

    Args:
        uri: "hf://OWNER/NAME" or "kaggle://OWNER/MODEL/FRAMEWORK/VARIATION".
        folder: what ``save_to_preset`` wrote.

    Raises:
        ValueError: the folder is not a preset, or the address has another form.
        ModuleNotFoundError: huggingface_hub or kagglehub is not installed.
        Exception: what that library raises: offline, refused, no token.

    Example:
        >>> model.save_to_preset("faces")
        >>> upload_preset("hf://somebody/faces", "faces")
    """
    if not is_preset(Path(folder)):
        raise ValueError(f"{folder}: not a preset. Write one with model.save_to_preset(folder).")
    upload(uri, Path(folder))
