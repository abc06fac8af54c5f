"""The demo, from the command line to its page."""

import pytest

from ferkit.cli import main


@pytest.mark.slow
def test_the_demo_runs_all_steps_and_writes_its_page(tmp_path, capsys):
    assert main(["demo", "--folder", str(tmp_path / "demo")]) == 0
    shown = capsys.readouterr().out
    assert "All good." in shown
    accuracy = float(shown.split("test split")[1].split("accuracy")[1].split("%")[0])
    assert accuracy > 45  # 24 % is the majority class
    assert list((tmp_path / "demo" / "runs").glob("*/report-test/index.html"))
    assert "astronaut.jpg: happy" in shown
    page = (tmp_path / "demo" / "index.html").read_text()
    assert page.count("<h2>") == page.count("With your own data:") == 8
    assert page.count('src="data:image/') == page.count("src=") == 7  # all pictures are embedded
    assert "http" not in page
