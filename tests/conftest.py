import gc
import os
import subprocess
import sys
from pathlib import Path


os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import pytest


gc.set_threshold(200_000, 10, 50)  # what tracing leaves behind is not worth a search at every 700 objects
jax.config.update("jax_num_cpu_devices", 8)
# What some users turn on and most don't: every test runs under it.
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def x64():
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


# A part of the key of every jit cache: what was compiled without optimisations isn't taken for what users get.
unoptimized = jax.make_user_context(False)


@pytest.fixture
def compiles_fast(request):
    """XLA's optimisations are left out where they aren't at stake: that is, where a test isn't `as_users_compile`."""
    if request.node.get_closest_marker("as_users_compile"):
        yield
        return
    jax.config.update("jax_disable_most_optimizations", True)
    with unoptimized(True):
        yield
    jax.config.update("jax_disable_most_optimizations", False)


# Halves what XLA's older backends for CPUs take to compile; one that doesn't know it dies of it, so it is asked.
QUICKLY = "--xla_cpu_use_fusion_emitters=false"


def pytest_configure(config):
    if not config.getoption("--quickly"):
        return
    # Programs that didn't change since the last run aren't compiled again.
    jax.config.update("jax_compilation_cache_dir", str(Path(__file__).parents[1] / "build" / "programs"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.02)
    flags = os.environ.get("XLA_FLAGS", "")
    if QUICKLY in flags:  # in the workers it is
        return
    asked = {**os.environ, "XLA_FLAGS": f"{flags} {QUICKLY}"}
    if not subprocess.run(
        [sys.executable, "-c", "import jax; jax.devices()"], env=asked, capture_output=True
    ).returncode:
        os.environ["XLA_FLAGS"] = asked["XLA_FLAGS"]


def pytest_addoption(parser):
    parser.addoption("--quickly", action="store_true", help="compile in less time, and keep what was compiled")
    parser.addoption(
        "--sample", action="store_true", help="the first row of each module, and a sixth of what is exhaustive"
    )


def examples(config):
    """How many examples `test_fuzz.py` has tried of each family."""
    seen = {}
    for report in config.pluginmanager.get_plugin("terminalreporter").getreports("passed"):
        for name, value in report.user_properties:
            if name == "examples" and report.when == "call":
                seen[value[0]] = seen.get(value[0], 0) + value[1]
    return seen


def pytest_terminal_summary(terminalreporter):
    for family, count in examples(terminalreporter.config).items():
        terminalreporter.write_line(f"{family}: {count} examples")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    wanted = int(os.environ.get("FUZZ_EXAMPLES", 0))
    on_a_worker = hasattr(session.config, "workerinput")
    if not on_a_worker and any(count < wanted for count in examples(session.config).values()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def row_of(item):
    return item.callspec.params.get("case") if hasattr(item, "callspec") else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    # All tests of a row side by side, so that one process runs them and compiles what they share.
    places = {}
    items.sort(key=lambda item: places.setdefault((item.path, row_of(item)), len(places)))
    seen = {}
    for item in items:
        if (thin := item.get_closest_marker("thin")) and hasattr(item, "callspec"):
            place = seen[item.function] = seen.get(item.function, -1) + 1
            if place % thin.args[0]:
                item.add_marker(pytest.mark.exhaustive)
    if config.getoption("--sample"):
        first, count = {}, {}

        def chosen(item):
            if (case := row_of(item)) and first.setdefault(case.loss.__module__, case) is not case:
                return False
            if not item.get_closest_marker("exhaustive"):
                return True
            place = count[item.function] = count.get(item.function, len(item.function.__name__)) + 1
            return place % 6 == 0

        items[:] = filter(chosen, items)
