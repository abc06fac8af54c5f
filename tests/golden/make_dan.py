"""Makes dan.npz: what PyTorch computes, in double precision, for the parts of DAN: written from the
papers, not from our code.

    pip install -e ".[bench]" && python tests/golden/make_dan.py

Weights and inputs are those of dan_inputs.py, so the file holds only results. For each case:
"training" and, where it differs, "inference", the outputs; "gradients", of sum(training outputs *
cotangent) to inputs and weights, in Keras's layout, strung together in the order of
dan_inputs.names_with_gradient (one by one, the file's index would outweigh the numbers); "moved",
the moving statistics after the training step or steps, likewise. For each loss "value" and
"gradient/<name>".

References: DAN arXiv 2109.07270 sections 3.1 to 3.4 and its authors' code as described; ConvNeXt
arXiv 2201.03545 figure 4; ResNet arXiv 1512.03385 as torchvision lays it out; center loss Wen et
al., ECCV 2016, equation 2.
"""

from pathlib import Path

import dan_inputs
import numpy as np
import torch
from torch.nn import functional

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Weights:
    """The arrays of a case as tensors, in Keras's layout, with the layers of PyTorch that use them.

    Maps have channels first.
    """

    def __init__(self, arrays, training):
        self.tensors = {
            name: torch.tensor(array, dtype=torch.float64) for name, array in arrays.items()
        }
        self.training = training
        for name, tensor in self.tensors.items():
            tensor.requires_grad_("moving" not in name)

    def __getitem__(self, name):
        return self.tensors[name]

    def conv(self, x, name, bias=False, **options):
        kernel = self[f"{name}/kernel"].permute(3, 2, 0, 1)
        return functional.conv2d(x, kernel, self[f"{name}/bias"] if bias else None, **options)

    def linear(self, x, kernel, bias=None):
        return functional.linear(x, self[kernel].T, None if bias is None else self[bias])

    def batch_norm(self, x, name):
        prefix = f"{name}/" if name else ""
        mean, variance, gamma, beta = (
            self[prefix + kind] for kind in ("moving_mean", "moving_variance", "gamma", "beta")
        )
        return functional.batch_norm(
            x, mean, variance, gamma, beta, self.training, momentum=0.1, eps=1e-5
        )

    def layer_norm(self, x, gamma, beta):
        """Over the channels of a map."""
        x = functional.layer_norm(
            x.permute(0, 2, 3, 1), x.shape[1:2], self[gamma], self[beta], eps=1e-6
        )
        return x.permute(0, 3, 1, 2)


def convnext_block(w, x, prefix=""):
    kernel = w[f"{prefix}depthwise_kernel"].permute(2, 3, 0, 1)
    y = functional.conv2d(x, kernel, w[f"{prefix}depthwise_bias"], padding=3, groups=x.shape[1])
    y = w.layer_norm(y, f"{prefix}norm_gamma", f"{prefix}norm_beta").permute(0, 2, 3, 1)
    y = functional.gelu(w.linear(y, f"{prefix}expand_kernel", f"{prefix}expand_bias"))
    y = w[f"{prefix}scale"] * w.linear(y, f"{prefix}project_kernel", f"{prefix}project_bias")
    return x + y.permute(0, 3, 1, 2)


def normalized(pixels):
    mean, std = (
        torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return (pixels / 255 - mean) / std


def convnext(w, pixels):
    x = w.conv(normalized(pixels), "stem_conv", bias=True, stride=4)
    x = w.layer_norm(x, "stem_norm/gamma", "stem_norm/beta")
    for stage, depth in enumerate(dan_inputs.CONVNEXT[0]):
        if stage:
            x = w.layer_norm(x, f"down{stage}_norm/gamma", f"down{stage}_norm/beta")
            x = w.conv(x, f"down{stage}_conv", bias=True, stride=2)
        for block in range(depth):
            x = convnext_block(w, x, f"stage{stage}_block{block}/")
    return w.layer_norm(x, "output_norm/gamma", "output_norm/beta")


def basic_block(w, x, name, stride):
    y = functional.relu(
        w.batch_norm(w.conv(x, f"{name}_conv1", stride=stride, padding=1), f"{name}_conv1_norm")
    )
    y = w.batch_norm(w.conv(y, f"{name}_conv2", padding=1), f"{name}_conv2_norm")
    if stride != 1:
        x = w.batch_norm(w.conv(x, f"{name}_shortcut", stride=stride), f"{name}_shortcut_norm")
    return functional.relu(y + x)


def resnet(w, pixels):
    x = functional.relu(
        w.batch_norm(w.conv(normalized(pixels), "stem", stride=2, padding=3), "stem_norm")
    )
    x = functional.max_pool2d(x, kernel_size=3, stride=2, padding=1)
    for stage in range(len(dan_inputs.RESNET)):
        x = basic_block(w, x, f"stage{stage}_block0", stride=2 if stage else 1)
        x = basic_block(w, x, f"stage{stage}_block1", stride=1)
    return x


def spatial_attention(w, x, prefix=""):
    narrow = w.batch_norm(w.conv(x, f"{prefix}reduce"), f"{prefix}reduce_norm")
    total = 0
    for rows, columns in dan_inputs.SPATIAL:
        y = w.conv(narrow, f"{prefix}conv_{rows}x{columns}", padding=(rows // 2, columns // 2))
        total = total + w.batch_norm(y, f"{prefix}norm_{rows}x{columns}")
    return x * functional.relu(total).sum(dim=1, keepdim=True)


def channel_attention(w, x, prefix=""):
    pooled = functional.adaptive_avg_pool2d(x, 1).flatten(1)
    y = functional.relu(w.batch_norm(w.linear(pooled, f"{prefix}squeeze/kernel"), f"{prefix}norm"))
    return pooled * torch.sigmoid(w.linear(y, f"{prefix}excite/kernel", f"{prefix}excite/bias"))


def attention_head(w, x, prefix=""):
    return channel_attention(w, spatial_attention(w, x, f"{prefix}spatial/"), f"{prefix}channel/")


def fusion(w, heads):
    """(batch, heads, channels); nothing to compare for a single head."""
    return functional.log_softmax(heads, dim=1) if heads.shape[1] > 1 else heads


def dan(w, x):
    heads = torch.stack(
        [attention_head(w, x, f"head{head}/") for head in range(dan_inputs.HEADS)], dim=1
    )
    return w.batch_norm(w.linear(fusion(w, heads).sum(dim=1), "dense/kernel"), "logits")


MODELS = {
    "block_large": convnext_block,
    "block_small": convnext_block,
    "block_pixel": convnext_block,
    "convnext": convnext,
    "resnet": resnet,
    "norm_map": lambda w, x: w.batch_norm(x, ""),
    "norm_vector": lambda w, x: w.batch_norm(x, ""),
    "spatial": spatial_attention,
    "spatial_pixel": spatial_attention,
    "channel": channel_attention,
    "head": attention_head,
    "dan": dan,
    "fusion": fusion,
    "fusion_one": fusion,
}


def affinity(features, labels, centers):
    distances = (features - centers[labels]).pow(2).sum(dim=1)
    return distances.mean() / torch.var(centers, dim=0, unbiased=True).sum()


def center(features, labels, centers):
    return 0.5 * (features - centers[labels]).pow(2).sum()


def partition_inside(heads):
    return torch.log(1 + heads.shape[1] / (torch.var(heads, dim=1, unbiased=True).mean() + 1e-8))


def partition_outside(heads):
    return torch.log(1 + heads.shape[1] / (torch.var(heads, dim=1, unbiased=True) + 1e-8)).mean()


def last(x):
    """Channels last, as Keras has maps."""
    return x.permute(0, 2, 3, 1) if x.ndim == 4 else x


def first(x):
    return x.permute(0, 3, 1, 2) if x.ndim == 4 else x


def run_model(name, results):
    arrays = dan_inputs.case(name)
    w = Weights(arrays, training=True)
    outputs = last(MODELS[name](w, first(w["inputs"])))
    results[f"{name}/training"] = outputs
    (
        outputs * torch.tensor(dan_inputs.cotangent(outputs.shape), dtype=torch.float64)
    ).sum().backward()
    if "inputs2" in arrays:
        MODELS[name](w, first(w["inputs2"]))
    results[f"{name}/gradients"] = torch.cat(
        [w[key].grad.flatten() for key in dan_inputs.names_with_gradient(name)]
    )
    moving = dan_inputs.moving_names(name)
    if moving:
        results[f"{name}/moved"] = torch.cat([w[key] for key in moving])
        w = Weights(arrays, training=False)
        results[f"{name}/inference"] = last(MODELS[name](w, first(w["inputs"])))


def run_loss(name, function, arrays, results):
    tensors = {
        key: torch.tensor(array, dtype=torch.float64, requires_grad=True)
        for key, array in arrays.items()
        if key != "labels"
    }
    labels = {"labels": torch.tensor(arrays["labels"]).long()} if "labels" in arrays else {}
    results[f"{name}/value"] = value = function(**tensors, **labels)
    value.backward()
    results |= {f"{name}/gradient/{key}": tensor.grad for key, tensor in tensors.items()}


def main():
    results = {}
    for name in dan_inputs.MODELS:
        run_model(name, results)
    for name in dan_inputs.LABELS:
        run_loss(
            name,
            affinity if name.startswith("affinity") else center,
            dan_inputs.class_case(name),
            results,
        )
    for name in dan_inputs.HEAD_SHAPES:
        for function in (partition_inside, partition_outside):
            run_loss(
                f"{name}/{function.__name__[10:]}",
                function,
                {"heads": dan_inputs.heads(name)},
                results,
            )
    arrays = {name: value.detach().numpy().astype("float32") for name, value in results.items()}
    np.savez_compressed(
        Path(__file__).with_name("dan.npz"), torch_version=np.array(torch.__version__), **arrays
    )


if __name__ == "__main__":
    main()
