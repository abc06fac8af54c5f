"""Readers of datasets as they are downloaded."""
