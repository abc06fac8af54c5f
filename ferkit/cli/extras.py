"""Which extra of the package installs a module that a command needs."""

from ferkit.errors import UserError

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
            "httptools",
            "python_multipart",
            "prometheus_client",
        ),
        "serve",
    ),
    **dict.fromkeys(("tf2onnx", "onnx", "onnxruntime"), "export"),
}


def missing_module_error(command: str, error: ModuleNotFoundError) -> UserError | None:
    """The error that says what to install; None if the module belongs to no extra.

    Args:
        command: the command that was run.
        error: what its import raised.
    """
    module = (error.name or "").partition(".")[0]
    if module not in EXTRAS:
        return None
    return UserError(
        f"python main.py {command}".strip(),
        f"needs {module}, which is not installed",
        f'install with: pip install "deep-emotion-keras[{EXTRAS[module]}]"',
    )
