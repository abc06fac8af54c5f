"""Duplicates: which images are the same photo, and which train row each one duplicates.

docs/copies.md defines exact and near-duplicates and reports how well the search works. The code and
the manifest call a duplicate of an earlier row a copy, as in the column copy_of.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Iterable

import numpy as np
from threadpoolctl import threadpool_limits

from generate_data.copies.candidates import candidate_pairs
from generate_data.copies.check import THRESHOLD, check_pairs

CANDIDATE_SHARE = 0.5  # of the time that the search takes


@dataclasses.dataclass(frozen=True)
class Copies:
    """Which of n images are duplicates of each other.

    Args:
        first: int64 (n,), the index of the first image with the same pixels; the image's own index
            if it is the first.
        near: int64 (pairs, 2), first images of each pair of near-duplicates, the smaller index
            first.
        scores: float32 (pairs,), their similarity, from `check.THRESHOLD` to 1.
    """

    first: np.ndarray
    near: np.ndarray
    scores: np.ndarray

    def groups(self) -> np.ndarray:
        """Returns int64 (n,): the same number for images of one group of duplicates.

        Images that are linked through other images are in one group.
        """
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
        """Finds for each image of `copies` the image of `targets` that it duplicates.

        Exact duplicates have priority over near ones. Among several exact ones the first counts,
        among several near ones the most similar.

        Args:
            targets: bool (n,), the images that may be a source, such as those of train.
            copies: bool (n,), the images to mark.
            earlier: accept only a source with a smaller index, so that an image and its duplicate
                do not mark each other.

        Returns:
            int64 (n,) index of the source, -1 without one, and (n,) "exact", "near" or "".
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
    ) -> tuple[list[int | str], list[str]]:
        """Returns copy_of and copy_kind of the manifest.

        A train row points to an earlier train row, all others to a train row. If val was drawn from
        the train rows, rows outside both may point to either: models that train on all training
        rows of the source, as the shipped weights did, train on val too.

        Args:
            splits: n names of splits.
            source_rows: the number of each image in the manifest.
            val_from: "train" if val was drawn from the train rows, else "source".
        """
        is_train = splits == "train"
        trained_on = is_train | (splits == "val") if val_from == "train" else is_train
        source, kind = self.sources(trained_on, ~trained_on)
        for targets, copies, earlier in (
            (is_train, is_train, True),
            (is_train, trained_on & ~is_train, False),
        ):
            found, found_kind = self.sources(targets, copies, earlier)
            source, kind = np.where(copies, found, source), np.where(copies, found_kind, kind)
        copy_of = [source_rows[index] if index >= 0 else "" for index in source.tolist()]
        return copy_of, kind.tolist()

    def _near_sources(self, exact: np.ndarray) -> dict[int, list[tuple[float, int]]]:
        """Lists the near-duplicates of each first image as (-score, target).

        Args:
            exact: the first target with the pixels of each first image; n without one.
        """
        near: dict[int, list[tuple[float, int]]] = {}
        for (first, second), score in zip(self.near.tolist(), self.scores.tolist(), strict=True):
            for image, copied in ((first, second), (second, first)):
                if exact[copied] < len(exact):
                    near.setdefault(image, []).append((-score, int(exact[copied])))
        return near


def first_of_each(digests: Iterable[bytes]) -> np.ndarray:
    """Returns int64 (n,): for each digest the index of the first equal one."""
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
    """Finds exact duplicates by comparing pixels, and near-duplicates among the other images.

    Args:
        images: uint8 (n, 48, 48).
        seed: of the index that makes the search fast; the result depends on it only slightly.
        progress: called with the share of the work done since the last call.
        first: int64 (n,), as in `Copies`, if `images` are thumbnails and the exact duplicates are
            known from the full images.

    Example:
        >>> copies = find_copies(images)
        >>> source, kind = copies.sources(targets=is_train, copies=~is_train)
    """
    if first is None:
        first = first_of_each(
            hashlib.sha256(image).digest() for image in np.ascontiguousarray(images)
        )
    unique = np.flatnonzero(first == np.arange(len(images)))
    # The search has threads already, and its matrices are small: with more threads for each matrix
    # product, it takes many times as long.
    with threadpool_limits(1, user_api="blas"):
        pairs = unique[
            candidate_pairs(images, unique, seed, lambda share: progress(share * CANDIDATE_SHARE))
        ]
        scores = check_pairs(images, pairs, lambda share: progress(share * (1 - CANDIDATE_SHARE)))
    near = scores >= THRESHOLD
    return Copies(first, pairs[near], scores[near])
