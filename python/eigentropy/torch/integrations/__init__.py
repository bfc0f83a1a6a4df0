"""Adapters for Lightning, Hugging Face's Trainer and torchmetrics."""
