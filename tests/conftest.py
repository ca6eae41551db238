import gc
import os


os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import pytest


gc.set_threshold(50_000)  # what tracing leaves behind is not worth a search at every 700 objects
# What some users turn on and most don't: every test runs under it.
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def x64():
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


@pytest.fixture
def compiles_fast(request):
    """Half of the time goes into XLA's optimisations. They are left out where only JAX's own machinery is at stake."""
    jax.config.update("jax_disable_most_optimizations", request.node.get_closest_marker("as_users_compile") is None)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def pytest_addoption(parser):
    parser.addoption("--sample", action="store_true", help="of the rows in cases.py only the first of each module")


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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    for item in items:
        if "compiles_fast" not in item.fixturenames:
            item.add_marker("as_users_compile")
    if config.getoption("--sample"):
        first = {}
        cases = [getattr(item, "callspec", None) and item.callspec.params.get("case") for item in items]
        items[:] = [
            item for item, case in zip(items, cases) if not case or first.setdefault(case.loss.__module__, case) is case
        ]
