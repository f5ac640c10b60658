"""Ray, without its noise: started for a run or found at an address, and refused where a trial could never be placed."""
import contextlib
import os
import signal
import socket

from ..experiment.checks import check_resources, cpus
from ..experiment.model import Experiment, Problem
from .ending import keep_sigterm

QUIET = {"RAY_AIR_NEW_OUTPUT": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "RAY_DEDUP_LOGS": "0",
         "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
         "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
         "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "999999", "PYTHONWARNINGS": "ignore",
         "TUNE_GLOBAL_CHECKPOINT_S": "2", "TUNE_DISABLE_SIGINT_HANDLER": "1",
         "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0"}


@contextlib.contextmanager
def cluster(e: Experiment, address: str | None):
    """Within the block Ray runs; `Problem` where its CPUs do not hold one trial."""
    os.environ.update({key: value for key, value in QUIET.items() if key not in os.environ})
    import logging
    import warnings

    warnings.filterwarnings("ignore")
    import ray

    on_sigterm = signal.getsignal(signal.SIGTERM)
    mine = not ray.is_initialized()
    if mine and address:
        reachable(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    elif mine:
        ray.init(address="local", num_cpus=cpus(e), include_dashboard=False, log_to_driver=False,
                 logging_level=logging.ERROR)
    keep_sigterm(on_sigterm)
    for name in ("ray", "ray.tune", "ray.rllib", "ray.train"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        check_resources(e, e.name, ray.cluster_resources().get("CPU", 0))
        yield
    finally:
        if mine:
            ray.shutdown()


def reachable(address: str) -> None:
    """`Problem` when nobody answers at host:port (Ray itself would try for minutes)."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host:                                           # "auto", "local": Ray's own words
        return
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, ValueError) as error:
        raise Problem(f"--address {address}: no Ray cluster answers there ({error})") from None
