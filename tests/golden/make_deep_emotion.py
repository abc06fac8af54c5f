"""Makes deep_emotion.npz: what PyTorch computes for the well-known port of Deep-Emotion, evaluation
mode.

    pip install -e ".[bench]" && python tests/golden/make_deep_emotion.py

Weights and images are those of deep_emotion_inputs.py, so the file holds only results: the logits,
and the gradient of sum(logits ** 2) to the theta bias and to the first convolution.
"""

from pathlib import Path

import numpy as np
import torch
from deep_emotion_inputs import images, weights
from torch import nn
from torch.nn import functional


def main():
    drawn, statistics = weights()
    tensors = {}
    for name, (kernel, bias) in drawn.items():
        order = (3, 2, 0, 1) if kernel.ndim == 4 else (1, 0)
        tensors[name] = (
            torch.tensor(kernel.transpose(order).copy(), requires_grad=True),
            torch.tensor(bias, requires_grad=True),
        )

    def conv(name, x):
        return functional.conv2d(x, *tensors[name])

    def flat(x):  # Keras flattens height, width, channels
        return x.permute(0, 2, 3, 1).flatten(1)

    pixels = torch.tensor(images().transpose(0, 3, 1, 2).copy()) / 127.5 - 1
    where = functional.relu(functional.max_pool2d(conv("localization_conv1", pixels), 2))
    where = functional.relu(functional.max_pool2d(conv("localization_conv2", where), 2))
    hidden = functional.relu(functional.linear(flat(where), *tensors["localization_dense"]))
    theta = functional.linear(hidden, *tensors["localization_theta"]).view(-1, 2, 3)
    grid = functional.affine_grid(theta, pixels.size(), align_corners=True)
    x = functional.grid_sample(
        pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=True
    )
    x = functional.relu(functional.max_pool2d(conv("conv2", functional.relu(conv("conv1", x))), 2))
    norm = nn.BatchNorm2d(10).eval()
    norm.load_state_dict(
        {
            "weight": torch.tensor(statistics["gamma"]),
            "bias": torch.tensor(statistics["beta"]),
            "running_mean": torch.tensor(statistics["moving_mean"]),
            "running_var": torch.tensor(statistics["moving_variance"]),
            "num_batches_tracked": torch.tensor(0),
        }
    )
    x = functional.relu(
        functional.max_pool2d(norm(conv("conv4", functional.relu(conv("conv3", x)))), 2)
    )
    logits = functional.linear(
        functional.relu(functional.linear(flat(x), *tensors["dense"])), *tensors["logits"]
    )
    (logits**2).sum().backward()
    np.savez(
        Path(__file__).with_name("deep_emotion.npz"),
        logits=logits.detach().numpy(),
        to_theta_bias=tensors["localization_theta"][1].grad.numpy(),
        to_conv1=tensors["conv1"][0].grad.numpy().transpose(2, 3, 1, 0),
        torch_version=np.array(torch.__version__),
    )


if __name__ == "__main__":
    main()
