"""Many replicas of a model behind the protocol of one: the runner does not know that there is more than one."""

from evalkit.cluster.model import ClusterModel, RayCluster

__all__ = ["ClusterModel", "RayCluster"]
