"""Clusters of vectors by scikit-learn, on a thread of their own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn import cluster, config_context, get_config
from threadpoolctl import threadpool_info, threadpool_limits

from eigentropy._kernels.groups import group_codes


@pytest.mark.parametrize("clusters", ["spectral", "kmeans"])
def test_clusters_are_found_by_the_settings_of_the_caller_and_its_thread(clusters, monkeypatch):
    """They are found on another thread, and are the same, bit by bit."""
    algorithm = {"spectral": cluster.SpectralClustering, "kmeans": cluster.KMeans}[clusters]
    fit, known = algorithm.fit, []

    def recorded(self, vectors):
        known.append((threading.current_thread(), get_config(), threadpool_info()))
        return fit(self, vectors)

    monkeypatch.setattr(algorithm, "fit", recorded)
    Y = np.random.default_rng(0).normal(size=(300, 4))
    with config_context(working_memory=77), threadpool_limits(1):
        found = group_codes(Y, 300, "vectors", 5, clusters)
        ((thread, config, libraries),) = known
        with ThreadPoolExecutor(1) as pool:  # by itself, since no signal arrives there
            alone = pool.submit(group_codes, Y, 300, "vectors", 5, clusters).result()
    assert thread is not threading.current_thread()
    assert config["working_memory"] == 77
    assert {library["num_threads"] for library in libraries} == {1}
    np.testing.assert_array_equal(found, alone)
