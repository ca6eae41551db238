"""What an installed package must do, in an environment of its own and without a network: ``python -I installed.py``."""

import importlib.metadata
import importlib.util
import socket
from pathlib import Path

import jax
import jax.numpy as jnp


def refuse(*_, **__):
    raise AssertionError("no network at run time")


socket.socket.connect = refuse
socket.getaddrinfo = refuse

import jaxloss  # noqa: E402


folder = Path(jaxloss.__file__).parent
assert "site-packages" in folder.parts, folder
assert (folder / "py.typed").is_file()
files = [str(file) for file in importlib.metadata.files("jaxloss") or ()]
assert not [file for file in files if file.split("/")[0] not in ("jaxloss", f"jaxloss-{jaxloss.__version__}.dist-info")]
assert any(file.endswith("LICENSE") for file in files)

logits, labels = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 5.0]]), jnp.array([0, 1])
value, gradient = jax.jit(jax.value_and_grad(jaxloss.cross_entropy))(logits, labels)
assert abs(value - (0.23954484 + 5.0133862) / 2) < 1e-6 and gradient.shape == logits.shape
kernel = jnp.ones((3, 4))
assert jnp.isfinite(jaxloss.linear_cross_entropy(logits, kernel, labels))
assert jaxloss.huber_loss(jnp.zeros(3), jnp.ones(3), delta=0.5) == 0.375
try:
    jaxloss.checked(jaxloss.cross_entropy)(logits, labels + 3)
    raise AssertionError("checked found nothing")
except ValueError as error:
    assert str(error) == "cross_entropy: labels must lie in [0, 3), got 3 at index (0,)", error

if importlib.util.find_spec("matplotlib"):
    import matplotlib

    matplotlib.use("Agg")
    import jaxloss.plotting

    jaxloss.plotting.plot_loss(jaxloss.l1_loss)
extras = "with" if importlib.util.find_spec("matplotlib") else "without"
print(f"jaxloss {jaxloss.__version__} on JAX {jax.__version__}, {extras} matplotlib")
