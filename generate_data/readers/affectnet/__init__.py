"""The reader of AffectNet: one module for each layout, and `layouts`, which finds it."""
