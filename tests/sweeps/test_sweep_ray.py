"""The Ray launcher on a real cluster of two nodes on this machine, with PostgreSQL as storage."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_sweep_resume import assert_whole, wait_until_running

from fer_lightning.sweeps.study.results import load_trials
from postgresql_server import BINARIES, PASSWORD, place
from sweep_runner import SEARCH, epochs, finish, output, start

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None
        or importlib.util.find_spec("hydra_plugins.hydra_ray_launcher") is None,
        reason="needs ray and hydra-ray-launcher",
    ),
    pytest.mark.slow,
]
needs_server = pytest.mark.skipif(
    BINARIES is None, reason="needs the PostgreSQL server (apt install postgresql)"
)


@pytest.fixture(scope="module")
def cluster(server: str) -> Iterator[list[str]]:
    """The launcher's options for a cluster of two nodes with one core each."""
    from ray.cluster_utils import Cluster

    # The nodes hand their environment on to the jobs: so the server's password reaches them and no file.
    assert os.environ["PGPASSWORD"] == PASSWORD
    node = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
    nodes = Cluster(initialize_head=True, head_node_args=node)
    try:
        nodes.add_node(**{key: value for key, value in node.items() if key != "include_dashboard"})
        yield [
            "hydra/launcher=ray_cluster",
            f"hydra.launcher.ray.init.address={nodes.address}",
            "hydra.sweeper.n_jobs=2",
        ]
    finally:
        nodes.shutdown()


def test_a_task_has_the_threads_that_ray_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    from fer_lightning.sweeps.jobs.environment import given_threads

    monkeypatch.setenv("FER_THREADS", "")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "32")  # of the task that started the node
    before = signal.getsignal(signal.SIGTERM)
    ray.init(num_cpus=3, include_dashboard=False, object_store_memory=80_000_000)
    try:
        assert ray.get(ray.remote(given_threads).options(num_cpus=2).remote()) == 2
    finally:
        ray.shutdown()
        signal.signal(signal.SIGTERM, before)  # Ray keeps its own, and the tests that follow are sent SIGTERM


@needs_server
def test_trials_run_on_both_nodes_and_are_pruned(server: str, cluster: list[str], tmp_path: Path) -> None:
    pruner = [
        "hydra/sweeper/pruner=median",
        "hydra.sweeper.pruner.n_startup_trials=1",
        "hydra.sweeper.pruner.n_warmup_steps=0",
        "hydra.sweeper.pruner.n_min_trials=1",
    ]
    arguments = [*SEARCH, *cluster, *place(server, "ray"), *pruner, "hydra/sweeper/sampler=random"]
    status = start(tmp_path, *arguments, "hydra.sweeper.n_trials=8", "trainer.seconds=0.2").wait(timeout=300)
    assert status == 0, output(tmp_path)[-3000:]
    records = load_trials(server, "ray")
    assert [r.number for r in records] == list(range(8))
    assert {r.state for r in records} == {"COMPLETE", "PRUNED"}
    for record in records:
        assert epochs(record) == list(record.intermediate)
    assert len({r.attrs["node"] for r in records if r.state == "COMPLETE"}) == 2
    assert not [f for f in tmp_path.rglob("*") if f.is_file() and PASSWORD.encode() in f.read_bytes()]


@needs_server
def test_a_killed_controller_is_followed_by_another(server: str, cluster: list[str], tmp_path: Path) -> None:
    arguments = [
        *SEARCH,
        *cluster,
        *place(server, "killed"),
        "hydra.sweeper.n_trials=4",
        "trainer.seconds=0.5",
    ]
    process = start(tmp_path, *arguments)
    wait_until_running(tmp_path, process, epochs_run=3)
    process.kill()
    process.wait()
    # Ray ends the jobs of a driver that is gone; the next command continues their trials.
    assert start(tmp_path, *arguments).wait(timeout=300) == 0, output(tmp_path)[-3000:]
    assert_whole(load_trials(server, "killed"), 4)


def test_without_a_server_a_file_serves_one_machine(cluster: list[str], tmp_path: Path) -> None:
    assert_whole(finish(tmp_path, *SEARCH, *cluster, "hydra.sweeper.n_trials=2"), 2)
