"""The accuracy that pages show is one of new photos, or none."""

import json

from ferkit.models.shipped_weights import shipped_weights
from ferkit.recognition.model_facts import measured_figures


def test_figures_of_learned_images_are_not_shown(tmp_path):
    released = shipped_weights()["deep_emotion-fer2013"].with_suffix(".json")
    figures = json.loads(released.read_text())
    assert measured_figures(released)["accuracy"] == figures["plain"]["accuracy"]
    assert figures["plain"]["count_learned"] == 280  # marked as duplicates
    figures["plain"]["count_learned_unmarked"] = 3589
    (tmp_path / "m.json").write_text(json.dumps(figures))
    assert measured_figures(tmp_path / "m.json") is None
