"""The decorator: plain functions for Python, editors and type checkers."""

from __future__ import annotations

import concurrent.futures
import inspect
import json
import pydoc
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxloss


ROOT = Path(__file__).parents[2]


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
            reveal_type(jaxloss.reduce(x, reduction="total").mean())
            reveal_type(sum(jaxloss.l1_loss(x, y, reduction="total") for y in [x, x]))
            jaxloss.mse_loss(x, x, None, x, reduction="sum", axis_name=("a", "b"))
            jaxloss.mse_loss(x, x, reduction="average")
            jaxloss.mse_loss(x)
            jaxloss.mse_loss(x, x, delta=1.0)
            jaxloss.mse_loss(x, x).mean().total
            """
        )
    )
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, str(file)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)["generalDiagnostics"]
    messages: dict[int, str] = {}
    for d in found:
        line = d["range"]["start"]["line"]
        messages[line] = messages.get(line, "") + d["message"]
    assert messages[5].startswith('Type of "jaxloss.mse_loss" is "Overload[(predictions: Array | ')
    for part in (
        ", labels: Array",
        ", weights: ",
        " | None = None, *, reduction: Literal['mean', ",
        "-> Array, ",
        "-> Total]",
    ):
        assert part in messages[5]
    assert messages[6].endswith('is "Array"') and messages[7].endswith('is "Array"')
    assert "Total" in messages[8] and "Array" not in messages[8]
    assert "No overloads" in messages[10] and "'average'" in messages[10]
    assert "No overloads" in messages[11] and "No overloads" in messages[12]
    assert 'attribute "total"' in messages[13]
    assert len(messages) == 8


@pytest.mark.exhaustive
def test_mypy_sees_a_total_where_one_is_asked_for(tmp_path):
    file = tmp_path / "use.py"
    file.write_text(
        "import jax\nimport jax.numpy as jnp\nfrom typing import assert_type\nimport jaxloss\nx = jnp.zeros(3)\n"
        "assert_type(jaxloss.mse_loss(x, x), jax.Array)\n"
        "assert_type(jaxloss.mse_loss(x, x, reduction='total'), jaxloss.Total)\n"
        "jaxloss.mse_loss(x, x).mean().total\n"
    )
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--cache-dir",
        str(tmp_path / "cache"),
        "--follow-imports=silent",
        str(file),
    ]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path).stdout.splitlines()
    assert len(found) == 2 and '"Array" has no attribute "total"' in found[0], found


def test_editors_show_the_docstring(tmp_path):
    """Through the stub: what pyright's language server says of a name under the cursor."""
    file = tmp_path / "use.py"
    file.write_text("import jaxloss\n\njaxloss.cross_entropy\n")
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"extraPaths": [str(ROOT)]}))
    command = [sys.executable, "-m", "pyright.langserver", "--stdio"]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin and server.stdout

    def send(method: str, **message: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", "method": method, **message}).encode()
        server.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        server.stdin.flush()

    def answer(number: int) -> Any:
        while True:
            size = server.stdout.readline().partition(b"Content-Length:")[2]
            server.stdout.readline()
            message = json.loads(server.stdout.read(int(size)))
            if message.get("id") == number and "method" not in message:
                return message["result"]

    folder, page = tmp_path.as_uri(), file.as_uri()
    try:
        folders = [{"uri": folder, "name": "use"}]
        opened = {"uri": page, "languageId": "python", "version": 1, "text": file.read_text()}
        at = {"textDocument": {"uri": page}, "position": {"line": 2, "character": 12}}
        parameters = {"processId": None, "rootUri": folder, "workspaceFolders": folders, "capabilities": {}}
        send("initialize", id=1, params=parameters)
        answer(1)
        send("initialized", params={})
        send("textDocument/didOpen", params={"textDocument": opened})
        send("textDocument/hover", id=2, params=at)
        shown = json.dumps(answer(2))
    finally:
        server.kill()
        server.communicate()
    assert "label_smoothing: " in shown and "Literal['mean', 'sum', 'none']" in shown
    assert "Cross entropy of the softmax with a class" in shown


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
