"""The search for duplicates across splits."""
