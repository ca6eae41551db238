"""A run over several hosts: two processes of four devices each, which talk over the network."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from ..harness import process


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each process found."""
    folder = tmp_path_factory.mktemp("processes")
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        address = f"localhost:{probe.getsockname()[1]}"
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    root = Path(__file__).parents[2]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.harness.process", address, "2", str(index), str(folder / f"{index}.npz")],
            cwd=root,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    try:
        errors = [worker.communicate(timeout=300)[1] for worker in running]
    finally:
        for worker in running:
            worker.kill()
    assert [worker.returncode for worker in running] == [0, 0], "\n".join(errors)
    return [np.load(folder / f"{index}.npz") for index in range(2)]


@pytest.mark.parametrize("way", ["jit", "shard_map", "check_vma=False"])
def test_two_processes_find_what_one_finds(found, way):
    arguments = process.KERNEL, process.HIDDEN, process.LABELS, process.MASK
    value, slope = jax.value_and_grad(process.by_sharding)(*arguments)
    for one in found:
        assert (one["processes"], one["devices"]) == (2, 8)
        np.testing.assert_allclose(one[f"{way} value"], value, rtol=1e-6)
        np.testing.assert_allclose(one[f"{way} slope"], slope, rtol=1e-5, atol=1e-6 * abs(slope).max())
