"""A server that was started with a user's own detector."""

import pytest

from ferkit.recognition import detectors, register_detector
from ferkit.recognition.recognizer import Recognizer
from ferkit.serving.limits import Limits
from tests.prediction.test_predict import BrightSquares, picture
from tests.support.serving_client import ask, encoded, post, served


def test_requests_may_name_it_and_its_model_is_not_given_to_others(monkeypatch):
    monkeypatch.setattr(detectors, "_registered", {})
    models = []
    register_detector("squares", lambda model: models.append(model) or BrightSquares())
    register_detector("other", lambda model: BrightSquares())
    recognizer = Recognizer("deep_emotion_paper-fer2013", "squares", "own.bin")
    photo = encoded(picture((40, 40, 60)), "PNG")
    served_one = served(
        recognizer, Limits(), detector="squares", detector_model="own.bin", warm_up=()
    )
    with served_one as (port, _):
        for query in ("", "?detector=squares"):
            status, answer = post(port, photo, f"/v1/predict{query}")
            assert (status, len(answer["faces"])) == (200, 1)
        assert post(port, photo, "/v1/predict?detector=yunet")[0] == 200
        status, answer = post(port, photo, "/v1/predict?detector=other")
        assert status == 422
        assert "choose from auto, yunet, none, squares" in str(answer)
        described = ask(port, "GET", "/openapi.json")[1]
    (detector,) = described["paths"]["/v1/predict"]["post"]["parameters"]
    assert detector["schema"]["enum"] == ["auto", "yunet", "none", "squares"]
    assert set(models) == {"own.bin"}


@pytest.mark.parametrize("name", ["yunet", "auto"])
def test_the_model_of_a_built_in_detector_is_for_all_its_names(monkeypatch, name):
    from ferkit.serving import server

    made = []
    monkeypatch.setattr("ferkit.recognition.make_detector", lambda *given, **_: made.append(given))
    server._make_detector(name, "auto", "other.onnx")
    assert made == [(name, "other.onnx")]
