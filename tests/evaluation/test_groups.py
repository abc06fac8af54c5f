"""Figures of groups: the join by path, each figure by hand, and the permutation test."""

from pathlib import Path

import numpy as np
import pandas
import pytest

from ferkit.errors import UserError
from ferkit.evaluation.groups import (
    format_groups,
    measure_groups,
    permutation_test,
    read_groups,
    wilson_interval,
)
from generate_data.manifest import Manifest


def manifest(folder, paths, source="elsewhere"):
    table = pandas.DataFrame({"path": paths, "split": "val"})
    return Manifest(Path(folder), ("angry", "happy"), table, {"source": str(source)})


def written(folder, text):
    path = folder / "groups.csv"
    path.write_bytes(text.encode())
    return path


def test_rows_are_joined_by_path_in_any_order_and_an_empty_cell_is_no_group(tmp_path):
    text = "\ufeffage,path,id\r\nold,val/2.png,9\r\n,val/1.png,8\r\n\r\nyoung,val\\0.png,7\r\n"
    images = manifest(tmp_path, ["val/0.png", "val/1.png", "val/2.png", "val/3.png"])
    groups = read_groups(written(tmp_path, text), images, "val")
    assert groups["age"].tolist() == ["young", "", "old", ""]
    assert groups["id"].tolist() == ["7", "8", "9", ""]


def test_paths_relative_to_the_source_folder_are_found(tmp_path):
    source = tmp_path / "photos"
    image = (source / "happy/1.jpg").as_posix()
    images = manifest(tmp_path / "data", [image], source)
    for name in ("happy/1.jpg", image):
        groups = read_groups(written(tmp_path, f"path,age\n{name},old\n"), images, "val")
        assert groups["age"].tolist() == ["old"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name,age\na,b\n", "columns name, age; need path and one column or more of groups"),
        ("path\na\n", "columns path; need path"),
        ("", "columns none; need path"),
        ("path,age,age\na,b,c\n", "columns path, age, age"),
        ("path,age\na,b,c\n", "groups.csv line 2: 3 cells, expected 2; correct this line"),
        ("path,age\n0.png,x\n0.png,y\n", "line 3: 0.png is listed again, with other groups"),
        ("path,age\nother.png,x\n", "has 0 of the 3 images of the val split, need half; write"),
        ("path,age\n0.png,x\n", "has 1 of the 3 images of the val split, need half"),
        ("path,age\n0.png,\0\udc00\n", "groups.csv: cannot be read as CSV"),
    ],
)
def test_a_wrong_table_is_one_line(tmp_path, text, line):
    path = tmp_path / "groups.csv"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(UserError) as caught:
        read_groups(path, manifest(tmp_path, ["0.png", "1.png", "2.png"]), "val")
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_column_of_many_values_is_not_measured(tmp_path):
    names = [f"{k}.png" for k in range(60)]
    images = manifest(tmp_path, names)
    rows = "".join(f"{name},{k},{k % 2}\n" for k, name in enumerate(names))
    assert list(read_groups(written(tmp_path, f"path,id,half\n{rows}"), images, "val")) == ["half"]
    rows = "".join(f"{name},{k}\n" for k, name in enumerate(names))
    with pytest.raises(UserError, match="no column has at most 50 different values"):
        read_groups(written(tmp_path, f"path,id\n{rows}"), images, "val")


def answers(labels, correct, confidence=0.8):
    """Probabilities of two classes whose prediction is right where `correct` is true."""
    predicted = np.where(correct, labels, 1 - labels)
    return np.where(np.arange(2) == predicted[:, None], confidence, 1 - confidence)


def test_figures_of_each_group_are_those_by_hand():
    labels = np.array([0] * 30 + [1] * 10 + [0] * 40)
    correct = np.array([True] * 30 + [False] * 10 + [True] * 20 + [False] * 20)
    of = np.array(["a"] * 40 + ["b"] * 38 + ["c", ""])
    found = measure_groups(answers(labels, correct), labels, {"age": of})["age"]
    assert list(found["groups"]) == ["a", "b", "c"]
    a, b = found["groups"]["a"], found["groups"]["b"]
    assert (a["images"], a["accuracy"], a["balanced_accuracy"]) == (40, 0.75, 0.5)
    assert a["recall"] == [1, 0]
    assert a["expected_calibration_error"] == pytest.approx(0.05)
    assert b["accuracy"] == pytest.approx(20 / 38)
    assert b["recall"] == [pytest.approx(20 / 38), None]
    assert found["gap"] == pytest.approx(0.75 - 20 / 38)  # c has too few images
    assert found["gap_groups"] == ["a", "b"]
    text = format_groups({"age": found})
    assert "largest gap: 22.4 points, a against b" in text
    # Class 0 has an accuracy of 50 / 68 in both groups, class 1 none.
    assert found["adjusted_gap"] == pytest.approx(30 / 40 * 18 / 68 - (20 / 38 - 50 / 68))
    assert "is 40.8 points, p = 0.0005 (permutation)" in text
    assert "1 images, too few to compare" in text


def test_with_one_large_group_there_is_no_test():
    labels = np.zeros(40, int)
    of = np.array(["a"] * 35 + ["b"] * 5)
    found = measure_groups(answers(labels, labels == 0), labels, {"age": of})
    assert found["age"]["p_value"] is None
    assert "fewer than two groups of 30 images: no test" in format_groups(found)


def test_a_gap_that_comes_from_the_mix_of_expressions_is_no_gap():
    # 90 % of happy and 40 % of angry are right, in both groups; b shows angry more often.
    numbers = np.random.default_rng(0)
    labels = np.repeat([1, 0, 1, 0], [350, 50, 50, 350])
    groups = np.repeat([0, 0, 1, 1], [350, 50, 50, 350])
    correct = numbers.random(800) < np.where(labels == 1, 0.9, 0.4)
    assert correct[groups == 0].mean() - correct[groups == 1].mean() > 0.3
    assert permutation_test(correct, labels, groups) > 0.05
    # Here, the classes are alike and the group decides.
    assert permutation_test(numbers.random(800) < 0.9 - 0.3 * groups, labels, groups) == 1 / 2001


def test_p_values_without_any_gap_are_uniform():
    numbers = np.random.default_rng(1)
    labels, groups = numbers.integers(0, 7, 300), numbers.integers(0, 3, 300)
    found = [permutation_test(numbers.random(300) < 0.7, labels, groups) for _ in range(20)]
    assert 0.3 < np.mean(found) < 0.7
    assert min(found) > 0.001


def test_wilson_interval_is_that_of_the_textbook():
    # Newcombe, Two-sided confidence intervals for the single proportion, 1998, table I.
    assert wilson_interval(81, 263) == pytest.approx([0.2553, 0.3662], abs=1e-4)
    assert wilson_interval(15, 148) == pytest.approx([0.0624, 0.1605], abs=1e-4)
    assert wilson_interval(0, 20) == pytest.approx([0, 0.1611], abs=1e-4)
    assert wilson_interval(1, 29) == pytest.approx([0.0061, 0.1718], abs=1e-4)
