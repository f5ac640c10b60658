"""Shared fixtures."""
import logging

import pytest


@pytest.fixture(scope="session")
def ray_session():
    """One small Ray cluster for all tests that need one."""
    import ray

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield ray
    ray.shutdown()
