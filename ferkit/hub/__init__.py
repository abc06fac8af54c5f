"""Kaggle and the Hugging Face Hub: what the commands download from them and upload to them."""
