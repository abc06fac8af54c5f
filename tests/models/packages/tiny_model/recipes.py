"""One recipe and one option."""

DEFAULT = "plain"
OPTIONS = {"bias": (bool, None, "add a bias to the logits")}
FOR_DATASET: dict[str, str] = {}
ABLATIONS: dict[str, dict] = {}
PLAIN: dict[str, object] = {}
RECIPES = {
    "plain": {
        "model_options": {"bias": True},
        "epochs": 2,
        "batch_size": 64,
        "optimizer": "adam",
        "learning_rate": 0.01,
    }
}
