"""How many replicas fit, and what each asks Ray for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from evalkit.cluster.model import RayCluster
from evalkit.cluster.pool import Pool
from evalkit.models.fake import FakeModel

EIGHT = {"CPU": 32.0, "GPU": 8.0}


def asks(nodes: list[dict[str, float]], settings: dict[str, Any], **cluster: Any) -> tuple[float, float, int]:
    """Processors and GPUs of one replica, and how many replicas the nodes hold."""
    pool = Pool(RayCluster(**cluster), FakeModel, "", settings)
    total = {name: sum(node.get(name, 0) for node in nodes) for name in ("CPU", "GPU")}
    listed = [{"Alive": True, "Resources": node} for node in nodes]
    pool._ray = SimpleNamespace(cluster_resources=lambda: total, nodes=lambda: [*listed, {"Alive": False, "Resources": EIGHT}])
    cpus, gpus = pool._each()
    return cpus, gpus, pool._room(cpus, gpus)


@pytest.mark.parametrize(
    ("nodes", "settings", "cluster", "wanted"),
    [
        ([EIGHT], {}, {}, (1, 1, 8)),
        ([EIGHT], {"tensor_parallel": 4}, {}, (1, 4, 2)),
        ([EIGHT, EIGHT], {"tensor_parallel": 2, "pipeline_parallel": 2}, {"cpus": 4}, (4, 4, 4)),
        ([{"CPU": 8, "GPU": 6}] * 2, {"tensor_parallel": 4}, {}, (1, 4, 1 + 1)),  # what is left over on two nodes is no replica
        ([{"CPU": 2, "GPU": 8}], {}, {}, (1, 1, 2)),  # processors run out first
        ([EIGHT], {"device_map": "auto"}, {"gpus": 4}, (1, 4, 2)),
        ([{"CPU": 4.0}], {"tensor_parallel": 2}, {}, (1, 0, 4)),  # a cluster of processors alone
        ([EIGHT], {}, {"gpus": 0.5}, (1, 0.5, 16)),
    ],
)
def test_a_replica_asks_for_the_gpus_its_model_is_split_over_and_lies_on_one_node(
    nodes: list[dict[str, float]], settings: dict[str, Any], cluster: dict[str, Any], wanted: tuple[float, float, int]
) -> None:
    assert asks(nodes, settings, **cluster) == wanted
