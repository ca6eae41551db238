"""What `make bench-accelerators` reads from programs, on programs for this CPU whose traffic is known."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from jax import lax
from jax.sharding import AxisType, PartitionSpec as P

from ..harness.benchmarks import benchmark


hlo, rows = benchmark("hlo"), benchmark("rows")
ROWS, COLUMNS = 512, 1024
WHOLE = jax.ShapeDtypeStruct((ROWS, COLUMNS), jnp.float32)
NUMBER = jax.ShapeDtypeStruct((), jnp.int32)
BYTES = ROWS * COLUMNS * 4


def test_every_loss_has_a_row():
    assert rows.LOSSES and rows.MISSING == []


def read(f, *arguments):
    program = hlo.Program(jax.jit(f).lower(*arguments).compile().as_text())
    return program.cost(), program


def arrays(f, *arguments):
    """How many arrays of the whole size go over the memory; scalars are few."""
    return read(f, *arguments)[0].traffic / BYTES


def test_one_pass_is_the_floor():
    program = jax.jit(lambda x, y: (x - y) ** 2).lower(WHOLE, WHOLE).compile()
    memory = program.memory_analysis()
    cost = hlo.Program(program.as_text()).cost()
    assert cost.traffic == memory.argument_size_in_bytes + memory.output_size_in_bytes == 3 * BYTES
    assert cost.kernels == 1 and memory.temp_size_in_bytes == 0


def sort_and_flip(x):
    """No kernel does both, so an array is written and read in between."""
    return jnp.flip(jnp.sort(x, 0), 1)


def test_two_passes():
    assert arrays(sort_and_flip, WHOLE) == pytest.approx(4, rel=0.01)


def test_a_loop_counts_as_often_as_it_runs():
    def loop(turns):
        return lambda x: lax.fori_loop(0, turns, lambda _, x: jnp.sin(x) + 1, x)

    assert arrays(loop(17), WHOLE) - arrays(loop(7), WHOLE) == pytest.approx(10 * 2, rel=0.01)
    assert not read(loop(7), WHOLE)[1].guessed


def test_a_loop_whose_end_is_not_in_the_program():
    f = lambda x, turns: lax.fori_loop(0, turns, lambda _, x: jnp.sin(x) + 1, x)  # noqa: E731
    cost, program = read(f, WHOLE, NUMBER)
    assert program.guessed
    assert cost.traffic / BYTES == pytest.approx(2 * hlo.TURNS + 1, abs=1.1)  # or 2, of a copy before the loop


def test_of_a_slice_only_the_slice():
    """A scan goes over its rows one by one, and writes as many."""
    f = lambda x: lax.scan(lambda _, row: (None, jnp.sin(row)), None, x)[1]  # noqa: E731
    assert 2 <= arrays(f, WHOLE) < 3.1  # and zeros, which the rows are written into


def test_of_a_gather_only_what_it_picks():
    picked = jax.ShapeDtypeStruct((ROWS // 8,), jnp.int32)
    assert arrays(lambda x, rows: x[rows], WHOLE, picked) == pytest.approx(2 / 8, rel=0.01)


def test_of_branches_the_dearest():
    flip_and_sort = lambda x: jnp.sort(jnp.flip(x, 1), 0)  # noqa: E731
    found = arrays(lambda x, which: lax.cond(which > 0, sort_and_flip, flip_and_sort, x), WHOLE, NUMBER)
    assert found == pytest.approx(4 + 1, abs=1.1)  # or 2, of a copy before them; both would be 8


def test_messages_count_with_the_loop_around_them():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))

    def step(x):
        return lax.fori_loop(0, 3, lambda _, x: lax.pmean(jnp.sin(x), "data"), x)

    f = jax.shard_map(step, mesh=mesh, in_specs=P("data"), out_specs=P("data"), check_vma=False)
    cost, _ = read(f, WHOLE)
    assert cost.messages == {"all-reduce": 3} and cost.sent == {"all-reduce": 3 * BYTES // 8}


ON_A_TPU = """\
HloModule jit_loss, is_scheduled=true

%fused_computation (param_0.1: bf16[100,200]) -> (bf16[100,200], f32[]) {
  %param_0.1 = bf16[100,200]{1,0:T(8,128)(2,1)S(1)} parameter(0)
  %constant.1 = bf16[]{:T(256)} constant(0)
  %reduce.1 = f32[]{:T(128)} reduce(%param_0.1, %constant.1), dimensions={0,1}, to_apply=%add
  ROOT %tuple.1 = (bf16[100,200]{1,0:T(8,128)(2,1)}, f32[]{:T(128)}) tuple(%param_0.1, %reduce.1)
}

ENTRY %main.1 (x.1: bf16[100,200]) -> (bf16[100,200], f32[]) {
  %x.1 = bf16[100,200]{1,0:T(8,128)(2,1)} parameter(0), metadata={op_name="x"}
  %copy-start = (bf16[100,200]{1,0:T(8,128)(2,1)S(1)}, bf16[100,200]{1,0:T(8,128)(2,1)}, /*index=2*/u32[]{:S(2)}) \
copy-start(%x.1), backend_config={"estimated_cycles":"30"}
  %copy-done = bf16[100,200]{1,0:T(8,128)(2,1)S(1)} copy-done(%copy-start)
  ROOT %fusion = (bf16[100,200]{1,0:T(8,128)(2,1)}, f32[]{:T(128)}) fusion(%copy-done), kind=kLoop, \
calls=%fused_computation, backend_config={"window_config":{"estimated_cycles":"1200"}}
}
"""


def test_tiles_and_what_lies_on_the_chip():
    """Arrays fill their tiles; once fetched, they are free."""
    cost = hlo.Program(ON_A_TPU).cost()
    tiled = 104 * 256 * 2
    assert cost.traffic == tiled + (tiled + 128 * 4)
    assert cost.cycles == 1230


@pytest.mark.thin(12)
@pytest.mark.parametrize("row", rows.ROWS, ids=lambda row: f"{row.loss}-{row.dtype}")
def test_rows_can_be_lowered_for_a_tpu(row):
    drawn = row.arrays()
    arguments = row._replace(dtype="bfloat16", most=None).structures(2 * drawn[0].size)
    assert arguments[0].shape == (2 * len(drawn[0]), *drawn[0].shape[1:])
    assert arguments[0].dtype == jnp.bfloat16
    if row.loss == "linear_cross_entropy":  # whose kernel has as many rows as before
        assert arguments[1].shape == drawn[1].shape
    text = jax.jit(jax.value_and_grad(row.ours, row.argnums)).trace(*arguments).lower(lowering_platforms=("tpu",))
    assert "bf16" in text.as_text()
