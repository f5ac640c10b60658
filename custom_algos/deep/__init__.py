"""Algorithms with neural networks (the only ones that import torch)."""
