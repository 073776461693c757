"""Which cluster this process speaks to."""

from __future__ import annotations

import os


def find_cluster() -> None:
    """Have kubernetes' client read the kubeconfig, else the pod's account.

    Raises its ConfigException where there is neither. The client's own `load_config` does the
    same, and prints about it.
    """
    import yaml
    from kubernetes import config

    try:
        config.load_kube_config(os.environ.get("KUBECONFIG") or None)
    except config.ConfigException:
        config.load_incluster_config()
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise config.ConfigException("the kubeconfig is no YAML") from error
