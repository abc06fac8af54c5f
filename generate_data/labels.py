"""The classes of every dataset and the names people give them: the one place where they are mapped to ours."""

from generate_data.rows import CLASS_NAMES

CONTEMPT = "contempt"
OUR_ORDER = (*CLASS_NAMES, CONTEMPT)

AFFECTNET = (
    "neutral",
    "happy",
    "sad",
    "surprise",
    "fear",
    "disgust",
    "angry",
    CONTEMPT,
)  # labels 0 to 7
AFFECTNET_SKIPPED = ("none", "uncertain", "no face")  # labels 8 to 10: no expression was given
RAFDB = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")  # labels 1 to 7

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
    "neutral": "neutrality",
    CONTEMPT: "contempt contemptuous",
}
# What FER2013's class folders may be called, numbers aside, and more.
EXPRESSIONS = {
    folder: CLASS_NAMES[label] for folder, label in FER_FOLDERS.items() if not folder.isdecimal()
} | {synonym: name for name, synonyms in _MORE_SYNONYMS.items() for synonym in synonyms.split()}


def affectnet_class(label: int) -> tuple[str, bool]:
    """What AffectNet's label 0 to 10 means, and whether that is an expression."""
    names = AFFECTNET + AFFECTNET_SKIPPED
    return names[label], label < len(AFFECTNET)


def expression_of(folder_name: str) -> str | None:
    """Our name for a class folder called "Anger", "aia_anger", "2 - sadness", ...; None for one that is no expression.

    The whole name counts, or what stands behind its last underscore, hyphen or space.
    """
    name = folder_name.strip().lower()
    if name in EXPRESSIONS:
        return EXPRESSIONS[name]
    last = name.replace("-", "_").replace(" ", "_").rpartition("_")[2]
    return EXPRESSIONS.get(last)


def in_our_order(names: set[str]) -> tuple[str, ...]:
    """Names in our order; those that are no expression we know behind them, alphabetically."""
    return (*(name for name in OUR_ORDER if name in names), *sorted(names - set(OUR_ORDER)))
