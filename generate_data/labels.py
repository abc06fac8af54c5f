"""Names of datasets, splits and classes, and how the labels of each dataset map to the classes.

This module is the single source of these names. It imports neither numpy nor pandas.
"""

IMAGE_DATASETS = ("affectnet", "rafdb", "folders")  # their images stay where they are
DATASETS = ("fer2013", *IMAGE_DATASETS)
SPLITS = ("train", "val", "test", "unlabelled")
USAGES = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}

CLASS_NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
CONTEMPT = "contempt"
CLASS_ORDER = (*CLASS_NAMES, CONTEMPT)

CKEXTENDED = CLASS_ORDER  # labels 0 to 7 of ckextended.csv: those of FER2013, then contempt
# The classes of FER+ votes, in the order of their columns; the last two are not expressions.
FERPLUS = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", CONTEMPT)
FERPLUS_SKIPPED = ("unknown", "no face")

# Labels 0 to 7.
AFFECTNET = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", CONTEMPT)
AFFECTNET_SKIPPED = ("none", "uncertain", "no face")  # labels 8 to 10: no expression was annotated
RAFDB = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")  # labels 1 to 7

CLASS_COUNTS = {"affectnet": (7, 8), "rafdb": (7,), "folders": ()}  # choices of --classes

FERPLUS_FOLDERS = {"fer2013train": "train", "fer2013valid": "val", "fer2013test": "test"}
SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "publictest": "val",
    "test": "test",
    "testing": "test",
    "privatetest": "test",
}

FER_FOLDERS = {name: index for index, name in enumerate(CLASS_NAMES)} | {
    "anger": 0,
    "disgusted": 1,
    "fearful": 2,
    "happiness": 3,
    "sadness": 4,
    "surprised": 5,
    "surprise": 5,
    **{str(index): index for index in range(len(CLASS_NAMES))},
}

_MORE_SYNONYMS = {
    "fear": "afraid scared",
    "happy": "joy joyful",
    "surprise": "suprise",
    "neutral": "neutrality",
    CONTEMPT: "contempt contemptuous",
}
# The folder names of FER2013, except numbers, and more synonyms.
EXPRESSIONS = {
    folder: CLASS_NAMES[label] for folder, label in FER_FOLDERS.items() if not folder.isdecimal()
} | {synonym: name for name, synonyms in _MORE_SYNONYMS.items() for synonym in synonyms.split()}


def affectnet_class(label: int) -> tuple[str, bool]:
    """Returns the name of AffectNet's label 0 to 10, and whether it is an expression."""
    names = AFFECTNET + AFFECTNET_SKIPPED
    return names[label], label < len(AFFECTNET)


def expression_of(folder_name: str) -> str | None:
    """Returns the class name for a class folder such as "Anger", "aia_anger" or "2 - sadness".

    The full name counts, or the part after its last underscore, hyphen or space.

    Returns:
        The class name, or None for a name that is not a known expression.
    """
    name = folder_name.strip().lower()
    if name in EXPRESSIONS:
        return EXPRESSIONS[name]
    last = name.replace("-", "_").replace(" ", "_").rpartition("_")[2]
    return EXPRESSIONS.get(last)


def sort_classes(names: set[str]) -> tuple[str, ...]:
    """Sorts class names in `CLASS_ORDER`; unknown names follow in alphabetical order."""
    return (*(name for name in CLASS_ORDER if name in names), *sorted(names - set(CLASS_ORDER)))
