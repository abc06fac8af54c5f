"""The smallest model package: one linear layer. A template for a new one."""

from .network import TinyModel as TinyModel
