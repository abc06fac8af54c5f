"""Draws a validation split from the train rows: seeded, stratified, duplicates kept together."""

from collections import Counter

import numpy as np

PARTS = 8  # val is an eighth: 3,589 of FER2013's 28,709 rows, as many as PublicTest has


def choose_val(labels: np.ndarray, groups: np.ndarray, seed: int, parts: int = PARTS) -> np.ndarray:
    """Draws an eighth of the rows, every class in proportion.

    It draws complete groups of duplicates in random order while each of their classes has room
    left. Single images fill the rest, so the counts are exact unless single images are scarce.

    Args:
        labels: int (n,) class of each row, 0 or more.
        groups: int (n,), the same number for rows that must stay together.
        seed: seed of the draw.
        parts: the divisor: it draws 1 / parts of the rows.

    Returns:
        bool (n,), True for the rows of val.
    """
    chosen = np.zeros(len(labels), bool)
    if not len(labels):
        return chosen
    room = _shares(np.bincount(labels), parts).tolist()
    order = np.argsort(groups, kind="stable")
    bounds = [*np.flatnonzero(np.r_[True, np.diff(groups[order]) != 0]).tolist(), len(order)]
    order, labels = order.tolist(), labels.tolist()
    for group in np.random.default_rng(seed).permutation(len(bounds) - 1).tolist():
        members = order[bounds[group] : bounds[group + 1]]
        need = (
            Counter([labels[row] for row in members])
            if len(members) > 1
            else {labels[members[0]]: 1}
        )
        if all(room[label] >= count for label, count in need.items()):
            chosen[members] = True
            for label, count in need.items():
                room[label] -= count
    return chosen


def join_persons(groups: np.ndarray, persons: list[str]) -> np.ndarray:
    """Joins the groups of all images of one person.

    Args:
        groups: int (n,), the same number for images that must stay together.
        persons: n names, "" if unknown.
    """
    if not any(persons):
        return groups
    above = {group: group for group in groups.tolist()}

    def top(group: int) -> int:
        while above[group] != group:
            group = above[group]
        return group

    first: dict[str, int] = {}
    for group, person in zip(groups.tolist(), persons, strict=True):
        if person:
            above[top(group)] = top(first.setdefault(person, group))
    return np.array([top(group) for group in groups.tolist()], groups.dtype)


def persons_in_several(splits: np.ndarray, persons: list[str]) -> list[str]:
    """Returns the persons that are in more than one split, sorted."""
    seen: dict[str, set[str]] = {}
    for split, person in zip(splits.tolist(), persons, strict=True):
        seen.setdefault(person, set()).add(split)
    return sorted(person for person, found in seen.items() if person and len(found) > 1)


def _shares(counts: np.ndarray, parts: int) -> np.ndarray:
    """Returns the rows of each class for val, rounded so that they sum to the rounded total."""
    exact = counts / parts
    shares = np.floor(exact).astype(int)
    missing = round(counts.sum() / parts) - shares.sum()
    shares[np.argsort(shares - exact, kind="stable")[:missing]] += 1
    return shares
