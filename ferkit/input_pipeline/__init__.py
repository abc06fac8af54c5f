"""From a dataset on disk to augmented batches."""
