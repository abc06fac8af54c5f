"""Copies: which images are the same photo, exactly or nearly, and which train row each one copies.

docs/copies.md defines both words and says how well the search does.
"""

import contextlib
import dataclasses
import hashlib
from collections.abc import Callable, Iterable

import numpy as np

from generate_data.copies.candidates import candidate_pairs
from generate_data.copies.check import THRESHOLD, check_pairs

CANDIDATE_SHARE = 0.5  # of the time that the search takes


@dataclasses.dataclass(frozen=True)
class Copies:
    """Which of n images are copies of each other.

    Args:
        first: int64 (n,), the first image with the very same pixels; an image without one is its own.
        near: int64 (pairs, 2), first images of each pair of near copies, the smaller index first.
        scores: float32 (pairs,), how alike they are; from `check.THRESHOLD` to 1.
    """

    first: np.ndarray
    near: np.ndarray
    scores: np.ndarray

    def groups(self) -> np.ndarray:
        """int64 (n,): the same number for images that are copies, or copies of copies, of each other."""
        root = self.first.copy()

        def find(index: int) -> int:
            while root[index] != index:
                root[index] = root[root[index]]
                index = root[index]
            return index

        for first, second in self.near.tolist():
            roots = find(first), find(second)
            root[max(roots)] = min(roots)
        for index in np.flatnonzero(root != np.arange(len(root))).tolist():
            root[index] = find(index)
        return root

    def sources(
        self, targets: np.ndarray, copies: np.ndarray, earlier: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """For each image of `copies`, the image of `targets` that it copies.

        An exact copy goes before a near one; of several exact ones the first counts, of several near ones the most alike.

        Args:
            targets: bool (n,), the images that may be a source: those of train.
            copies: bool (n,), the images to mark.
            earlier: only a source with a smaller index counts, so that an image and its copy don't mark each other.

        Returns:
            int64 (n,) index of the source, -1 without one; (n,) "exact", "near" or "".
        """
        count = len(self.first)
        exact = np.full(count, count)  # for each first image: the first target with its pixels
        np.minimum.at(exact, self.first[targets], np.flatnonzero(targets))
        limit = np.arange(count) if earlier else np.full(count, count)
        source = exact[self.first]
        source[~copies | (source >= limit) | (source == np.arange(count))] = -1
        kind = np.where(source >= 0, "exact", "")
        near = self._near_sources(exact)
        for index in np.flatnonzero(
            copies & (source < 0) & np.isin(self.first, list(near))
        ).tolist():
            choices = [choice for choice in near[self.first[index]] if choice[1] < limit[index]]
            if choices:
                source[index], kind[index] = min(choices)[1], "near"
        return source, kind

    def columns(
        self, splits: np.ndarray, source_rows: list[int], val_from: str = "source"
    ) -> tuple[list, list[str]]:
        """copy_of and copy_kind of the manifest: a train row points to an earlier train row, all others to a train row.

        Where val was drawn from the train rows ("train"), rows outside both may point to either: those who train on all that the
        source calls training, as our own weights were, have seen val too.

        Args:
            splits: n names of splits.
            source_rows: what the manifest calls each image.
            val_from: "source" or "train".
        """
        is_train = splits == "train"
        learned = is_train | (splits == "val") if val_from == "train" else is_train
        source, kind = self.sources(learned, ~learned)
        for targets, copies, earlier in (
            (is_train, is_train, True),
            (is_train, learned & ~is_train, False),
        ):
            own, own_kind = self.sources(targets, copies, earlier)
            source, kind = np.where(copies, own, source), np.where(copies, own_kind, kind)
        return [
            source_rows[index] if index >= 0 else "" for index in source.tolist()
        ], kind.tolist()

    def _near_sources(self, exact: np.ndarray) -> dict[int, list[tuple[float, int]]]:
        """For each first image, what it nearly is: (minus the score, target), given the target of each first image."""
        near: dict[int, list[tuple[float, int]]] = {}
        for (one, other), score in zip(self.near.tolist(), self.scores.tolist(), strict=True):
            for image, copied in ((one, other), (other, one)):
                if exact[copied] < len(exact):
                    near.setdefault(image, []).append((-score, int(exact[copied])))
        return near


def first_of_each(digests: Iterable[bytes]) -> np.ndarray:
    """int64 (n,): for each digest the index of the first one equal to it."""
    seen: dict[bytes, int] = {}
    return np.array(
        [seen.setdefault(digest, index) for index, digest in enumerate(digests)], dtype=np.int64
    )


def find_copies(
    images: np.ndarray,
    seed: int = 0,
    progress: Callable[[float], None] = lambda share: None,
    first: np.ndarray | None = None,
) -> Copies:
    """Finds exact copies, by comparing bytes, and near copies among the rest.

    Args:
        images: uint8 (n, 48, 48).
        seed: of the index that makes the search fast; the result hardly depends on it.
        progress: called with the share of the work done since the last call.
        first: int64 (n,), as in `Copies`, where `images` are thumbnails and the exact copies are known from what they show.

    Example:
        >>> copies = find_copies(images)
        >>> source, kind = copies.sources(targets=is_train, copies=~is_train)
    """
    if first is None:
        first = first_of_each(
            hashlib.sha256(image).digest() for image in np.ascontiguousarray(images)
        )
    unique = np.flatnonzero(first == np.arange(len(images)))
    with _one_blas_thread():
        pairs = unique[
            candidate_pairs(images, unique, seed, lambda share: progress(share * CANDIDATE_SHARE))
        ]
        scores = check_pairs(images, pairs, lambda share: progress(share * (1 - CANDIDATE_SHARE)))
    near = scores >= THRESHOLD
    return Copies(first, pairs[near], scores[near])


def _one_blas_thread() -> contextlib.AbstractContextManager:
    """One thread for the matrix library: the search has threads already, and its matrices are small."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:  # slower, not wrong
        return contextlib.nullcontext()
    return threadpool_limits(1, user_api="blas")
