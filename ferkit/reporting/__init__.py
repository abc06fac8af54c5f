"""Reports, charts, tables and TensorBoard logs."""
