"""Shared fixtures."""
import logging
import os

import pytest

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")                     # before NumPy and torch: their threads fight over two cores


@pytest.fixture(scope="session")
def ray_session():
    """One small Ray cluster for all tests that need one."""
    import ray

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield ray
    ray.shutdown()
