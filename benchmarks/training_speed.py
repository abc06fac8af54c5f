"""Compares a training step of Deep-Emotion, variant input_warp, with Keras + stn and PyTorch.

    pip install -e ".[bench]" && python benchmarks/training_speed.py --save

A step is forward, backward and an Adam update of batch 128. "Keras + stn" is the same Keras network
with the `stn` package as its sampler, in the same loop: once with the thread settings of this
project, once with the defaults of TensorFlow. PyTorch runs the same network in both memory formats.
"""

import paired

BATCH = 128


def _batch():
    import numpy as np

    numbers = np.random.default_rng(0)
    images = numbers.uniform(0, 255, (BATCH, 48, 48, 1)).astype("float32")
    return images, numbers.integers(0, 7, BATCH).astype("int32")


def _keras(sampler, our_threads=True):
    def prepare():
        if our_threads:
            from ferkit.tensorflow_runtime import import_tensorflow

            import_tensorflow()
        from deep_emotion import DeepEmotion
        from ferkit.comparison.speed import training_step
        from ferkit.recipes.named import named_recipe

        recipe = named_recipe("deep_emotion", "input_warp", sampler=sampler)
        return training_step(DeepEmotion(**recipe.model_options), recipe, BATCH)

    return prepare


def _torch(channels_last):
    def prepare():
        import torch
        from torch import nn
        from torch.nn import functional

        class Port(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv1, self.conv2 = nn.Conv2d(1, 10, 3), nn.Conv2d(10, 10, 3)
                self.conv3, self.conv4 = nn.Conv2d(10, 10, 3), nn.Conv2d(10, 10, 3)
                self.norm, self.dense, self.logits = (
                    nn.BatchNorm2d(10),
                    nn.Linear(810, 50),
                    nn.Linear(50, 7),
                )
                first, second = nn.Conv2d(1, 8, 7), nn.Conv2d(8, 10, 5)
                self.where = nn.Sequential(
                    first, nn.MaxPool2d(2), nn.ReLU(True), second, nn.MaxPool2d(2), nn.ReLU(True)
                )
                self.hidden, self.theta = nn.Linear(640, 32), nn.Linear(32, 6)
                self.theta.weight.data.zero_()
                self.theta.bias.data.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]))

            def forward(self, pixels):
                x = pixels / 127.5 - 1
                theta = self.theta(functional.relu(self.hidden(self.where(x).flatten(1)))).view(
                    -1, 2, 3
                )
                grid = functional.affine_grid(theta, x.size(), align_corners=True)
                x = functional.grid_sample(x, grid, align_corners=True)
                x = functional.relu(
                    functional.max_pool2d(self.conv2(functional.relu(self.conv1(x))), 2)
                )
                x = functional.relu(
                    functional.max_pool2d(self.norm(self.conv4(functional.relu(self.conv3(x)))), 2)
                )
                return self.logits(
                    functional.relu(
                        self.dense(functional.dropout(x.flatten(1), 0.5, self.training))
                    )
                )

        layout = torch.channels_last if channels_last else torch.contiguous_format
        images, labels = _batch()
        pixels = torch.tensor(images).permute(0, 3, 1, 2).contiguous(memory_format=layout)
        labels = torch.tensor(labels, dtype=torch.long)
        model = Port().to(memory_format=layout)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.005)

        def run():
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(pixels), labels)
            loss.backward()
            optimizer.step()
            return loss.item()

        return run

    return prepare


CONTESTANTS = {
    "ours": _keras("auto"),
    "Keras + stn, our threads": _keras("stn"),
    "Keras + stn, TensorFlow's threads": _keras("stn", our_threads=False),
    "PyTorch, channels first": _torch(channels_last=False),
    "PyTorch, channels last": _torch(channels_last=True),
}

if __name__ == "__main__":
    paired.main(
        __file__, "Deep-Emotion training step", CONTESTANTS, "ours", "images", BATCH, __doc__
    )
