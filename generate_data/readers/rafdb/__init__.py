"""The reader of RAF-DB: one module for each layout, and `layouts`, which finds it."""
