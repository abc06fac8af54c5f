"""The models that can be trained: registry, interface, saved files."""
