"""Makes dan_resnet18.npz: what PyTorch computes, in double precision, for the reference's DAN.

    pip install torch==2.13.0 numpy && python tests/golden/make_dan_resnet18.py

The network is written after networks/dan.py of github.com/yaoing/DAN and torchvision's ResNet-18,
with their names. Weights and images are those of dan_resnet18_inputs.py. The file has the "logits",
the "features", every eighth channel last, and "checkpoint", a small checkpoint of ``torch.save`` with
an optimizer's state, as the reference's training script writes it.
"""

import io
from pathlib import Path

import dan_resnet18_inputs as drawn
import numpy as np
import torch
from torch import nn


class BasicBlock(nn.Module):
    def __init__(self, inputs, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(x + shortcut)


def stage(inputs, channels, stride):
    return nn.Sequential(BasicBlock(inputs, channels, stride), BasicBlock(channels, channels, 1))


class SpatialAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1x1 = self.branch(512, 256, (1, 1))
        self.conv_3x3 = self.branch(256, 512, (3, 3))
        self.conv_1x3 = self.branch(256, 512, (1, 3))
        self.conv_3x1 = self.branch(256, 512, (3, 1))

    @staticmethod
    def branch(inputs, outputs, kernel):
        padding = tuple(size // 2 for size in kernel)
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel, padding=padding), nn.BatchNorm2d(outputs)
        )

    def forward(self, x):
        y = self.conv1x1(x)
        y = torch.relu(self.conv_3x3(y) + self.conv_1x3(y) + self.conv_3x1(y))
        return x * y.sum(dim=1, keepdim=True)


class ChannelAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.Sequential(
            nn.Linear(512, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 512), nn.Sigmoid()
        )

    def forward(self, x):
        x = x.mean(dim=(2, 3))
        return x * self.attention(x)


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.sa, self.ca = SpatialAttention(), ChannelAttention()

    def forward(self, x):
        return self.ca(self.sa(x))


class DAN(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
            stage(64, 64, 1),
            stage(64, 128, 2),
            stage(128, 256, 2),
            stage(256, 512, 2),
        )
        for head in range(drawn.HEADS):
            setattr(self, f"cat_head{head}", Head())
        self.fc = nn.Linear(512, drawn.CLASSES)
        self.bn = nn.BatchNorm1d(drawn.CLASSES)

    def forward(self, x):
        x = self.features(x)
        heads = [getattr(self, f"cat_head{head}")(x) for head in range(drawn.HEADS)]
        fused = torch.log_softmax(torch.stack(heads, dim=1), dim=1)
        return self.bn(self.fc(fused.sum(dim=1))), x


def checkpoint():
    """The bytes of a small checkpoint after one step of Adam."""
    model = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    with torch.no_grad():
        model.weight.copy_(torch.arange(6.0).reshape(2, 3))
    file = io.BytesIO()
    state = {"model_state_dict": model.state_dict()}
    torch.save({"iter": 3, **state, "optimizer_state_dict": optimizer.state_dict()}, file)
    return np.frombuffer(file.getvalue(), np.uint8)


def main():
    """Write the golden file."""
    model = DAN()
    model.load_state_dict({name: torch.tensor(a) for name, a in drawn.state_dict().items()})
    pixels = torch.tensor(drawn.images(), dtype=torch.float64).permute(0, 3, 1, 2) / 255
    mean = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64)[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64)[:, None, None]
    with torch.no_grad():
        logits, features = model.double().eval()((pixels - mean) / std)
    arrays = {"logits": logits, "features": features.permute(0, 2, 3, 1)[..., ::8]}
    print({name: (array.mean().item(), array.std().item()) for name, array in arrays.items()})
    arrays = {name: array.numpy().astype("float32") for name, array in arrays.items()}
    file = Path(__file__).with_name("dan_resnet18.npz")
    np.savez_compressed(
        file, torch_version=np.array(torch.__version__), checkpoint=checkpoint(), **arrays
    )


if __name__ == "__main__":
    main()
