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
def cluster(e: Experiment, address: str | None, console):
    """Within the block Ray runs; `Problem` where there is no cluster, or its CPUs do not hold one trial."""
    os.environ.update({key: value for key, value in QUIET.items() if key not in os.environ})
    import logging
    import warnings

    warnings.filterwarnings("ignore")
    import ray

    on_sigterm = signal.getsignal(signal.SIGTERM)
    mine = not ray.is_initialized()
    if mine and address:
        _join(address, console)
    elif mine:
        ray.init(address="local", num_cpus=cpus(e), include_dashboard=False, log_to_driver=False,
                 logging_level=logging.ERROR)
    keep_sigterm(on_sigterm)
    for name in ("ray", "ray.tune", "ray.rllib", "ray.train"):
        logging.getLogger(name).setLevel(logging.CRITICAL)                  # errors.txt keeps what a trial raised
    try:
        check_resources(e, e.name, ray.cluster_resources().get("CPU", 0))
        yield
    finally:
        if mine:
            ray.shutdown()


def _join(address: str, console) -> None:
    """Connect to a running cluster and say which one it is; `Problem` says why that cannot be."""
    import logging

    import ray

    reachable(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
    except Exception as error:                             # what Ray raises here is of a dozen types
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise Problem(f"--address {address}: Ray cannot join a cluster there ({first}); valid are auto (a cluster that "
                      "runs on this machine) and HOST:PORT of its head; where it asks for a token, the environment "
                      "variable RAY_AUTH_TOKEN or ~/.ray/auth_token must hold it, with RAY_AUTH_MODE=token") from None
    alive = sum(node["Alive"] for node in ray.nodes())
    console.print(f"joined the Ray cluster at {ray.get_runtime_context().gcs_address}: {alive} "
                  f"machine{'s' * (alive != 1)}, {ray.cluster_resources().get('CPU', 0):g} CPUs", markup=False)


def reachable(address: str) -> None:
    """`Problem` when nobody answers at host:port (Ray itself would try for minutes)."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host:                                           # "auto": Ray looks for it
        return
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, ValueError) as error:
        raise Problem(f"--address {address}: no Ray cluster answers there ({error})") from None
