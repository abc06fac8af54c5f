"""Which extra of the package installs a module that a command needs."""

import importlib.util

from ferkit.errors import UserError, not_installed

# import name -> extra
EXTRAS = {
    **dict.fromkeys(
        ("tensorflow", "keras", "stn", "pandas", "threadpoolctl", "matplotlib", "jinja2"), "train"
    ),
    **dict.fromkeys(
        (
            "fastapi",
            "pydantic",
            "starlette",
            "uvicorn",
            "h11",
            "python_multipart",
            "prometheus_client",
        ),
        "serve",
    ),
    **dict.fromkeys(("tf2onnx", "onnx", "onnxruntime"), "export"),
    **dict.fromkeys(("kagglehub", "huggingface_hub"), "hub"),
}

# command -> the extra that it always needs
COMMAND_EXTRAS = {
    **dict.fromkeys(
        ("setup", "train", "evaluate", "verify", "compare", "release", "export", "runs", "demo"),
        "train",
    ),
    "serve": "serve",
}


def check_extra(command: str) -> None:
    """Check that the modules that a command always needs are installed.

    Raises:
        UserError: one is missing; says how to install it.
    """
    needed = COMMAND_EXTRAS.get(command)
    for module, extra in EXTRAS.items():
        if extra == needed and importlib.util.find_spec(module) is None:
            raise _missing(command, module)


def missing_module_error(command: str, error: ModuleNotFoundError) -> UserError | None:
    """The error that says what to install; None if the module belongs to no extra.

    Args:
        command: the command that was run.
        error: what its import raised.
    """
    module = (error.name or "").partition(".")[0]
    if module not in EXTRAS:
        return None
    return _missing(command, module)


def _missing(command: str, module: str) -> UserError:
    where = f"python main.py {command}".strip()
    return not_installed(where, module, f'"deep-emotion-keras[{EXTRAS[module]}]"')
