"""The rules of the project hold: packaging in one place, links, size of the tree, late imports."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("ferkit", "deep_emotion", "dan_tf", "generate_data", "model_presets")
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "data/*.md", "benchmarks/**/*.md", "*/weights/*.md")
    for path in ROOT.glob(pattern)
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def requirement(line):
    return line.split("#")[0].strip()


def test_requirements_repeat_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    installed = ("train", "serve", "export", "hub", "parquet")
    declared = {*project["dependencies"], *(line for name in installed for line in extras[name])}
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert {requirement(line) for line in lines} - {""} == declared


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def anchors(path):
    titles = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    for link in LINK.findall(path.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), f"{path.name}: {link}"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), f"{path.name}: {link}"


def test_files_named_in_the_contributing_guide_exist():
    guide = (ROOT / "docs" / "contributing.md").read_text()
    for name in re.findall(r"`([\w./]+/[\w./]*)`", guide):
        if not name.startswith(("runs/", "PACKAGE")):
            assert (ROOT / name).exists(), name


def modules(package):
    return [path for path in (ROOT / package).rglob("*.py") if "__pycache__" not in path.parts]


def test_folders_stay_small():
    for package in PACKAGES:
        for folder in {path.parent for path in modules(package)} - {ROOT / "ferkit"}:
            children = [
                child
                for child in folder.iterdir()
                if child.suffix == ".py" or (child.is_dir() and (child / "__init__.py").exists())
            ]
            assert len([child for child in children if child.name != "__init__.py"]) <= 18, folder


def late_imports(path):
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]


def test_late_imports_are_few():
    found = [place for path in modules("ferkit") for place in late_imports(path)]
    assert len(set(found)) <= 20, "\n".join(found)


def test_outputs_of_the_documented_commands_are_ignored_by_git():
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    flags = r"--(?:csv|json|annotate|to|report|output|submission|run|folder) ([\w./-]+)"
    commands = [
        line
        for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
        for line in path.read_text().splitlines()
        if "main.py" in line
    ]
    outputs = sorted({name for line in commands for name in re.findall(flags, line)})
    outputs = [
        f"{name}/x" for name in outputs if not name.split("/")[0].isupper() and name[0] != "/"
    ]
    assert "faces.csv/x" in outputs
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", *outputs], cwd=ROOT, capture_output=True, text=True
    ).stdout.split()
    assert sorted(set(outputs) - set(ignored)) == []
