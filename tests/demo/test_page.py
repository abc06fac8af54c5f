"""The page of the demo."""

from ferkit.demo.page import demo_page
from ferkit.demo.steps import Outcome, Picture, Step, demo_steps, run_step


def test_the_page_contains_its_pictures_and_escapes_text(tmp_path):
    (tmp_path / "a.png").write_bytes(b"png")
    (tmp_path / "b.jpg").write_bytes(b"jpg")
    pictures = [Picture("a.png", "A 'chart'", is_chart=True), Picture("b.jpg", "A photo")]
    step = Step("Try <it>", "Try & see.", ["runs", "my folder"], "python main.py runs", pictures)
    page = demo_page([Outcome(step, 0, "1 < 2", 0.6)], tmp_path)
    assert "<h2>1. Try &lt;it&gt;</h2>" in page
    assert "Try &amp; see." in page
    assert "<pre>$ python main.py runs &#39;my folder&#39;</pre>" in page
    assert "<summary>Output (1 s)</summary>" in page
    assert "1 &lt; 2" in page
    assert 'class="chart" alt="A &#39;chart&#39;"' in page
    assert 'src="data:image/png;base64,cG5n"' in page
    assert 'src="data:image/jpeg;base64,anBn"' in page
    assert page.count("src=") == 2


def test_a_step_is_run_by_the_given_function_and_its_output_recorded(tmp_path, capsys):
    def run_command(arguments):
        print("ran", *arguments)
        return 3

    step = demo_steps(tmp_path, tmp_path / "runs/a", 2)[0]
    outcome = run_step(step, run_command)
    assert outcome.exit_code == 3
    assert outcome.output == f"ran setup --sample -d {tmp_path}"
    assert capsys.readouterr().out == f"ran setup --sample -d {tmp_path}\n"
    assert outcome.seconds >= 0
