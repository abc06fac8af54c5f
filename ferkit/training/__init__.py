"""The training loop, its losses, optimizers, checkpoints and run folder."""
