"""Ray, imported and connected: started on this machine for one run, or joined where it runs already."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import ConfigError
from evalkit.extras import missing

if TYPE_CHECKING:
    from evalkit.cluster.model import RayCluster


def ray_for(address: str | None) -> Any:
    """The package, told what it reads from the environment.

    Raises:
        ConfigError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address is not None and (Path.home() / ".ray" / "auth_token").is_file():
        # `ray start` asks for this token where there is one; a driver shows it only when told to, and before Ray is imported.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    try:
        import ray
    except ImportError as error:
        raise ConfigError(missing("ray", "cluster=ray")) from error
    return ray


def connect(ray: Any, cluster: RayCluster) -> None:
    """Start Ray, or join it at the cluster's address.

    Raises:
        ConfigError: nobody answers there.
    """
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM) if main else None
    try:
        _initialise(ray, cluster)
    finally:
        if main and before is not None:
            signal.signal(signal.SIGTERM, before)  # Ray puts its own there, which saves nothing of ours


def _initialise(ray: Any, cluster: RayCluster) -> None:
    quiet = {"configure_logging": True, "logging_level": logging.ERROR, "log_to_driver": False}
    try:
        if cluster.address is None:
            least = None if cluster.replicas is None else max(_cores(), int(cluster.replicas * cluster.cpus))
            ray.init(address="local", num_cpus=least, include_dashboard=False, **quiet)
        else:
            _reachable(cluster.address)
            ray.init(address=cluster.address, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        where = f"cluster.address={cluster.address}"
        raise ConfigError(f"{where}: no Ray cluster answers there ({why}); start one with ray start --head") from error


def _reachable(address: str) -> None:
    """Ray itself would go on trying for minutes.

    Raises:
        OSError: nobody listens at host:port.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        with socket.create_connection((host.strip("[]"), int(port)), timeout=10):
            pass


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
