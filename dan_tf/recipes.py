"""How DAN is trained: plain data, which the trainer validates.

Imports nothing, so that --help is quick. Field names are those of the trainer's recipe;
``model_options`` go to the ``DAN`` constructor.
"""

DEFAULT = "fer2013"
# Kind of dataset -> its default recipe, if it is not DEFAULT.
FOR_DATASET = {"affectnet": "affectnet", "rafdb": "rafdb"}

BACKBONES = (
    "convnext_face",
    "convnext_atto",
    "convnext_femto",
    "convnext_pico",
    "convnext_nano",
    "convnext_tiny",
    "convnext_small",
    "convnext_base",
    "resnet18",
    "efficientnetv2-b0",
    "mobilenetv3-small",
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
)

# What a user may set besides the training fields: name -> (type, choices or None, help).
OPTIONS = {
    "backbone": (str, BACKBONES, "the network that computes the feature map"),
    "backbone_weights": (
        str,
        None,
        "none, imagenet (fetched once), or a file (.h5 of keras.applications, .pth of "
        "EfficientNet-Lite or ResNet-18, .keras of a DAN)",
    ),
    "stem_stride": (
        int,
        (4, 2, 1),
        "stride of the first convolution; 2 and 1 keep a larger map, at 4 and 16 times the cost",
    ),
    "num_heads": (int, None, "attention heads; 0: a plain dense layer instead"),
    "head_width": (
        int,
        None,
        "channels inside a head; 0: a third of the backbone's, 40 for EfficientNet-Lite",
    ),
    "channel_width": (
        int,
        None,
        "units inside a head's channel attention; 0: a 24th of the backbone's channels",
    ),
    "drop_path": (
        float,
        None,
        "stochastic depth of the last block of ConvNeXt or EfficientNet-Lite, 0 up to (not "
        "including) 1",
    ),
    "layer_scale": (float, None, "initial value of a ConvNeXt's layer scale"),
    "affinity_weight": (float, None, "weight of the affinity loss, the paper's center loss"),
    "center_weight": (float, None, "weight of the plain center loss"),
    "partition_weight": (float, None, "weight of the partition loss"),
}

# Parts that `compare` removes to measure their effect: name -> options without it. PLAIN is the
# backbone without any part of DAN.
ABLATIONS = {
    "heads": {"num_heads": 0, "partition_weight": 0.0},
    "partition": {"partition_weight": 0.0},
    "affinity": {"affinity_weight": 0.0},
}
PLAIN = {"num_heads": 0, "partition_weight": 0.0, "affinity_weight": 0.0}

_REFERENCE = {
    "backbone": "convnext_tiny",
    "backbone_weights": "imagenet",
    "num_heads": 4,
    "affinity_weight": 1.0,
    "partition_weight": 1.0,
}

RECIPES = {
    # The reference's AffectNet training (its code): Adam at 1e-4, x0.6 per epoch, 40 epochs by
    # default (the rate is then 2e-13: training ends much earlier), batch 256, inverse class
    # frequency; flip; with p 0.7 rotation 20, scale 0.8 to 1, shift 0.2; random erasing of 2 to
    # 33 %, p 0.5.
    # Deviations: ConvNeXt-Tiny with ImageNet weights instead of ResNet-18 with MS-Celeb-1M's; a
    # warp repeats the edge outside the image, where the reference has black; an erased rectangle
    # becomes one random gray, not black.
    # Not trained in this project: AffectNet requires its owners' permission.
    "affectnet": {
        "model_options": _REFERENCE,
        "image_size": 224,
        "channels": 3,
        "epochs": 40,
        "batch_size": 256,
        "optimizer": "adam",
        "learning_rate": 1e-4,
        "schedule": "step",
        "decay": 0.6,
        "decay_epochs": 1.0,
        "sampling": "inverse_frequency",
        "flip": True,
        "affine_probability": 0.7,
        "rotation": 20.0,
        "zoom_out": 0.2,
        "shift": 0.2,
        "erase": 0.5,
        "erase_max_area": 0.33,
    },
    # The reference's RAF-DB training: SGD at 0.1, momentum 0.9, L2 1e-4 in the gradient, x0.1 every
    # 10 of 40 epochs, batch 256, flip; with p 0.2 rotation 20 and a crop after padding by 32 of
    # 224; erasing of 2 to 25 %, p 0.5.
    # Deviations as above, and a tenth of the rate with one epoch of warm-up, since 0.1 is a rate
    # for batch-normalized networks. Not trained in this project.
    "rafdb": {
        "model_options": _REFERENCE,
        "image_size": 224,
        "channels": 3,
        "epochs": 40,
        "batch_size": 256,
        "optimizer": "momentum",
        "learning_rate": 0.01,
        "warmup_epochs": 1.0,
        "l2": 1e-4,
        "schedule": "step",
        "decay": 0.1,
        "decay_epochs": 10.0,
        "flip": True,
        "affine_probability": 0.2,
        "rotation": 20.0,
        "shift": 0.143,
        "erase": 0.5,
    },
    # Designed for this project: small gray faces on a CPU, from scratch. 40 epochs should take two
    # hours on two cores. Batch, rate and layer scale were chosen on PublicTest, seed 0, with runs
    # of three epochs at stem stride 4: batch 128 at 0.002 with layer scale 0.1 reached 38.0 %,
    # batch 64 at 0.001 with layer scale 1 reached 39.7 %.
    "fer2013": {
        "model_options": {
            "backbone": "convnext_atto",
            "stem_stride": 2,
            "num_heads": 4,
            "drop_path": 0.05,
            "layer_scale": 1.0,
        },
        "epochs": 40,
        "batch_size": 64,
        "optimizer": "adamw",
        "learning_rate": 0.001,
        "weight_decay": 0.05,
        "schedule": "cosine",
        "warmup_epochs": 0.5,
        "label_smoothing": 0.1,
        "flip": True,
        "rotation": 10.0,
        "shift": 0.08,
        "zoom": 0.1,
    },
    # The same on this project's backbone, whose stem consists of 3x3 convolutions, with FER+ votes
    # as extra supervision with a weight of 0.6 in the target. All trials are in
    # benchmarks/accuracy/trials.csv.
    "best": {
        "model_options": {
            "backbone": "convnext_face",
            "stem_stride": 2,
            "num_heads": 4,
            "head_width": 64,
            "drop_path": 0.0,
            "layer_scale": 1.0,
        },
        "epochs": 32,
        "batch_size": 64,
        "optimizer": "adamw",
        "learning_rate": 0.0015,
        "weight_decay": 0.05,
        "schedule": "cosine",
        "warmup_epochs": 1.0,
        "ema": 0.999,
        "vote_weight": 0.6,
        "vote_kind": "translated",
        "flip": True,
        "rotation": 8.0,
        "shift": 0.06,
        "zoom": 0.1,
    },
    # FER2013 enlarged to 224 pixels for a pretrained ConvNeXt-Tiny, for a GPU. Not trained in this
    # project: neither a GPU nor the pretrained weights were available.
    "fer2013-imagenet": {
        "model_options": {**_REFERENCE, "drop_path": 0.1},
        "image_size": 224,
        "channels": 3,
        "epochs": 15,
        "batch_size": 64,
        "optimizer": "adamw",
        "learning_rate": 1e-4,
        "weight_decay": 0.05,
        "schedule": "cosine",
        "warmup_epochs": 1.0,
        "label_smoothing": 0.1,
        "flip": True,
        "rotation": 15.0,
        "shift": 0.08,
        "zoom": 0.1,
    },
}
