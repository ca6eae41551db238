"""The decorator: plain functions for Python, editors and type checkers."""

from __future__ import annotations

import concurrent.futures
import inspect
import json
import pydoc
import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import numpy as np

import jaxloss


def test_help_shows_the_signature_and_the_docstring():
    text = " ".join(pydoc.render_doc(jaxloss.cross_entropy, renderer=pydoc.plaintext).split())  # lines: as Python likes
    assert "logits: 'ArrayLike', labels: 'ArrayLike', weights: 'ArrayLike | None' = None" in text
    assert "label_smoothing: 'Proportion | None' = None" in text
    assert "Cross entropy of the softmax" in text
    assert "def cross_entropy(" in inspect.getsource(jaxloss.cross_entropy)


def test_type_checkers_see_the_signature(tmp_path):
    file = tmp_path / "use.py"
    file.write_text(
        textwrap.dedent(
            """
            import jax.numpy as jnp
            import jaxloss

            x = jnp.zeros(3)
            reveal_type(jaxloss.mse_loss)
            reveal_type(jaxloss.cross_entropy(x, x, label_smoothing=0.1))
            jaxloss.mse_loss(x, x, None, x, reduction="sum", axis_name=("a", "b"))
            jaxloss.mse_loss(x, x, reduction="average")
            jaxloss.mse_loss(x)
            jaxloss.mse_loss(x, x, delta=1.0)
            """
        )
    )
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, str(file)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)["generalDiagnostics"]
    messages = {d["range"]["start"]["line"]: d["message"] for d in found}
    assert messages[5].startswith('Type of "jaxloss.mse_loss" is "(predictions: Array | ')
    for part in (", labels: Array", ", weights: ", " | None = None, *, reduction: Literal['mean', ", '-> Array"'):
        assert part in messages[5]
    assert messages[6].endswith('is "Array"')
    assert "'average'" in messages[8]
    assert 'missing for parameter "labels"' in messages[9]
    assert 'No parameter named "delta"' in messages[10]
    assert len(messages) == 5


def test_one_program_for_all_numbers(caplog):
    logits, labels = jnp.zeros((2, 3)), jnp.zeros(2, jnp.int32)
    with jax.log_compiles():
        jaxloss.cross_entropy(logits, labels, label_smoothing=0.125)
        assert "Compiling" in caplog.text
        caplog.clear()
        for smoothing in (0.25, 0.5, 1):
            jaxloss.cross_entropy(logits, labels, label_smoothing=float(smoothing))
        assert "Compiling" not in caplog.text


def test_threads():
    """Each thread names its own function in its errors."""

    def call(i):
        loss = (jaxloss.l1_loss, jaxloss.mse_loss)[i % 2]
        try:
            loss(np.zeros((i + 2, 1), np.float32), np.zeros(i + 2, np.float32))
        except ValueError as error:
            return str(error).startswith(f"{loss.__name__}: labels must have the shape")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(call, range(40)))


def test_import_is_light():
    """Nothing beyond what `import jax` loads, but ourselves and the standard library."""
    script = (
        "import sys, jax, jax.numpy, jax.experimental.checkify; before = set(sys.modules); import jaxloss; "
        "print({m.split('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names))"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "{'jaxloss'}"
