r"""Whether the tests see faults: each of these is written into a copy of the checkout, where its part must then fail.

    python -m tests.project.mutants                     # all of them
    python -m tests.project.mutants psum "label of -1"  # those whose name holds one of these
    python -m tests.project.mutants --list
    python -m tests.project.mutants -j 4                # copies at work at once, 2 without

A fault has a name, its file in `jaxloss/`, the part of the tests that should see it, as arguments of pytest, and a text
that occurs once in the file with what takes its place. A new one must change what a user can meet, in a way that its
name tells; its part is what guards that rule or loss, not the one test that is known to fail. Missed by what
`make test` runs, it is tried with what only `make test-all` does. Each test that saw a fault must pass without it.

A run of all of them writes the table of `docs/matrix.md`.

Exits with 0 if `make test-all` sees every fault and `make test` nine of ten.
"""

from __future__ import annotations

import argparse
import json
import queue
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple


CONTRACT = "tests/contract/test_contract.py tests/contract/test_transforms.py"
INTRODUCTION = """\
Put into the package one at a time by `make mutants`, which runs the part of the tests that guards what is changed; each
test that sees a fault passes without it."""
FAULTS = r"""
a psum missing: _contract/reduction.py
CONTRACT -k l1_loss
- total, weight = over_devices(total, axis_name), over_devices(weight, axis_name)
+ total, weight = total, weight

a psum of the mean: _contract/reduction.py
CONTRACT -k l1_loss
- total, weight = over_devices(total, axis_name), over_devices(weight, axis_name)
+ if reduction == "mean":
+             total, weight = total / weight, jnp.ones_like(weight)
+         total, weight = over_devices(total, axis_name), over_devices(weight, axis_name)

a psum of the losses alone: _contract/reduction.py
CONTRACT -k l1_loss
- over_devices(total, axis_name), over_devices(weight, axis_name)
+ over_devices(total, axis_name), weight

divided by the count: _contract/reduction.py
CONTRACT -k l1_loss
- return _each_entry(total, shape, axes) * copies(weight, shape, axes)
+ return _each_entry(total, shape, axes) * 0 + as_number(math.prod(shape[axis] for axis in axes), weight.dtype)

a total's weight before it broadcasts: _contract/reduction.py
tests/contract/test_reduction.py CONTRACT -k "test_reduction.py or l1_loss"
- return _each_entry(total, shape, axes) * copies(weight, shape, axes)
+ return _each_entry(total, shape, axes)

the gradient of an empty mean is NaN: _contract/total.py
tests/contract/test_reduction.py CONTRACT -k "test_reduction.py or l1_loss"
- total / jnp.where(empty, 1, weight)
+ total / weight

an empty mean is NaN: _contract/total.py
CONTRACT -k l1_loss
- jnp.where(empty, 0, total / jnp.where(empty, 1, weight))
+ total / weight

masked losses multiplied by 0: _contract/reduction.py
tests/contract/test_reduction.py CONTRACT -k "test_reduction.py or l1_loss"
- losses = jnp.where(exists, losses, 0)
+ losses = losses * exists.astype(losses.dtype)

losses one by one are not masked: _contract/reduction.py
tests/contract/test_reduction.py CONTRACT -k "test_reduction.py or l1_loss"
-     if exists is not None:
-         losses = jnp.where(exists, losses, 0)
-     if reduction
+     if exists is not None and reduction != "none":
+         losses = jnp.where(exists, losses, 0)
+     weight = jnp.ones((), losses.dtype) if reduction == "none" and weights is None else weight
+     if reduction

totals that lose a weight: _contract/total.py
tests/contract/test_reduction.py
- _add(self.weight, self.weight_rest, other.weight, other.weight_rest)
+ _add(self.weight, self.weight_rest, 0 * other.weight, other.weight_rest)

weights that broadcast like NumPy's: _contract/shapes.py
tests/contract/test_reduction.py CONTRACT -k "test_reduction.py or l1_loss"
- len(own) == len(shape) and all(one in (1, size) for one, size in zip(own, shape))
+ len(own) <= len(shape) and all(one in (1, size) for one, size in zip(own[::-1], shape[::-1]))

a mask of 0.5 is taken for True: _contract/weights.py
tests/contract/test_inputs.py tests/contract/test_reduction.py
- report("mask", values, fits, "be bool, or 0 and 1", hint)
-     return nan_unless(fits, dtype)
+ return jnp.zeros((), dtype)

more elements than 32 bits count: _contract/shapes.py
tests/contract/test_reduction.py
- jnp.asarray(float(size) if isinstance(size, int) else size, dtype)
+ jnp.asarray(size, jnp.int32).astype(dtype)

weights of another dtype under strict promotion: _contract/weights.py
tests/contract/test_reduction.py tests/contract/test_known_bugs.py -k "test_reduction.py or every_dtype"
- broadcastable("weights", weights, shape).astype(dtype)
+ broadcastable("weights", weights, shape)

masked inputs not cleared: _contract/inputs.py
CONTRACT -k l1_loss
- return [jnp.where(exists, x, harmless) for x in arrays]
+ return arrays

masked scores not cleared: _contract/classes.py
CONTRACT -k "softmax_focal_loss or multi_margin_loss"
- scores = jnp.where(own.exists, scores, 0)
+ scores = scores

masked vectors not cleared: _contract/inputs.py
CONTRACT -k cosine_distance
-     if mask is None:
-         return [*arrays]
-     return [jnp.where(row_mask
+     if mask is None or arrays:
+         return [*arrays]
+     return [jnp.where(row_mask

a masked parameter not cleared: _contract/inputs.py
CONTRACT tests/contract/test_gradients.py -k gaussian_nll_loss
- x = jnp.where(bool_mask(mask, like.shape), x, 0.25)
+ x = x

a label of -1 wraps: _contract/classes.py
CONTRACT -k "[cross_entropy] or [cross_entropy-options"
-     fits = (given >= 0) & (given < count)
-     labels = devices.local_index(jnp.where(fits, given, 0)
+     fits = given < count
+     labels = devices.local_index(jnp.where(fits, given % count, 0)

a label out of range is clamped: _contract/classes.py
CONTRACT -k "[cross_entropy] or [cross_entropy-options"
-     fits = (given >= 0) & (given < count)
-     labels = devices.local_index(jnp.where(fits, given, 0)
+     fits = jnp.ones(given.shape, bool)
+     labels = devices.local_index(jnp.clip(given, 0, count - 1)

one label too many: _contract/classes.py
CONTRACT -k "[cross_entropy] or [cross_entropy-options"
- fits = (given >= 0) & (given < count)
+ fits = (given >= 0) & (given <= count)

labels of 8 bits overflow: _contract/arrays.py
tests/contract/test_known_bugs.py CONTRACT -k "narrow_labels or every_integer or every_width and cross_entropy"
- if x.dtype.itemsize < 4 else x
+ if x.dtype.itemsize < 1 else x

the last axis, whatever the axis: _contract/classes.py
CONTRACT -k "cross_entropy-images"
- shape {scores.shape} with axis={axis}"))
-     return place
+ shape {scores.shape} with axis={axis}"))
+     return scores.ndim - 1

the label's logit where classes are sharded: _contract/classes.py
tests/contract/test_devices.py CONTRACT -k "classes_over_devices or sharded_jit and [cross_entropy"
- jnp.sum(jnp.where(is_label(x, index, axis), x, jnp.zeros_like(x)), axis, keepdims=True, dtype=x.dtype)
+ jnp.max(jnp.where(is_label(x, index, axis), x, jnp.zeros_like(x)), axis, keepdims=True)

half precision not widened: _contract/inputs.py
CONTRACT -k l1_loss
-     x = narrow(name, x)
-     return x.astype(widened(x))
+     return narrow(name, x)

a value that does not fit loses its gradient: _contract/inputs.py
CONTRACT -k "binary_cross_entropy"
- return nearest(x, interval) + nan_unless(fits, x.dtype)
+ return jnp.where(fits, nearest(x, interval), jnp.nan)

an error that names another argument: _contract/inputs.py
tests/contract/test_inputs.py CONTRACT -k "test_inputs.py or l1_loss"
- exactly(other, x, lead.shape, f"the shape of {name}, {lead.shape}")
+ exactly(name, x, lead.shape, f"the shape of {other}, {lead.shape}")

an error that names an inner function: _contract/messages.py
tests/contract/test_inputs.py CONTRACT -k "test_inputs.py or l1_loss"
- _caller.set(_caller.get() or name)
+ _caller.set(name)

the end of an open interval fits: _contract/checks.py
CONTRACT -k "laplace_nll_loss or gamma_nll_loss"
- above = value >= jnp.finfo(value.dtype).tiny
+ above = value >= 0

the index of several bad values, axis by axis: _contract/checks.py
tests/contract/test_inputs.py CONTRACT -k "test_inputs.py or [cross_entropy-options"
- bad = bad & (place == first)
+ pass

the last of several bad values: _contract/checks.py
tests/contract/test_inputs.py CONTRACT -k "test_inputs.py or [cross_entropy-options"
- first = jnp.min(jnp.where(bad, place, none), initial=none)
+ first = jnp.max(jnp.where(bad, place, -1), initial=-1)

float64 cut to float32: _contract/arrays.py
CONTRACT -k l1_loss
- return dtype if jnp.issubdtype(dtype, jnp.floating) and jnp.finfo(dtype).bits >= 32 else jnp.float32
+ return jnp.float32

options without a gradient: _contract/jit.py
CONTRACT -k "[cross_entropy-options or poly1"
- value, spoil = nearest(value, number.interval), nan_unless(fits, dtype)
+ value, spoil = jax.lax.stop_gradient(nearest(value, number.interval)), nan_unless(fits, dtype)

an option that rounds out of its range: _contract/jit.py
tests/contract/test_inputs.py tests/classification/test_extremes.py -k "test_inputs.py or messages"
- if not fits(value, kind.interval, widest(lead)):
+ if not fits(value, kind.interval):

labels of 64 bits cut to 32: _contract/arrays.py
tests/contract/test_known_bugs.py -k "32_bits or every_integer or narrow"
- (most.min, most.max, most.dtype) if index
+ (-(2**63), 2**63 - 1, most.dtype) if index

a call left behind in a caller's program: _contract/jit.py
CONTRACT -k l1_loss
- static_argnames=static, inline=_INLINE
+ static_argnames=static

the first class of a slice is lost: _contract/devices.py
tests/contract/test_class_axis.py
- jnp.where((index >= 0) & (index < size), index, size)
+ jnp.where((index > 0) & (index < size), index, size)

the maximum of one slice: _contract/devices.py
tests/contract/test_class_axis.py
- return functools.reduce(lax.pmax, names(axis_name), x)
+ return x

slopes not summed over slices: _contract/devices.py
tests/contract/test_class_axis.py
- [psum.bind(slope, name=name)]
+ [slope]

a slope of 1 at the kink: _numerics/derivatives.py
tests/regression tests/contract/test_gradients.py -k "l1_loss or kink"
- absolute = differentiable(jnp.abs, (jnp.sign,))
+ absolute = jnp.abs

a slope of 1/2 at the kink: _numerics/derivatives.py
tests/margin tests/contract/test_gradients.py -k "hinge or ranking"
- positive = differentiable(lambda x: jnp.where(x <= 0, 0, x), (above_zero,))
+ positive = lambda x: jnp.maximum(x, 0)

a rule that drops a tangent: _numerics/derivatives.py
CONTRACT -k laplace_nll_loss
- change if d_b is None else change - clip_to_finite(ratio) * d_b
+ change

a slope that loses a NaN: _numerics/derivatives.py
tests/margin tests/contract/test_fuzz.py -k "hinge_loss or nan_s"
- return jnp.where(x <= 0, 0, jnp.sign(x))
+ return jnp.where(x > 0, 1, jnp.zeros_like(x))

zero times infinity: _numerics/derivatives.py
tests/classification/test_cross_entropy.py -k "infinite or ruled_out or zero"
- jnp.multiply(factor, finite_at_zero(factor, value))
+ jnp.multiply(factor, value)

a softplus that overflows: _numerics/elementary.py
tests/numerics
- return jnp.maximum(z, 0) + log1p_unit(exp_minus_abs(z))
+ return jnp.log1p(jnp.exp(z))

log(1 + x) for log1p(x): _numerics/elementary.py
tests/numerics tests/classification/test_cross_entropy.py -k "test_elementary.py or confident"
- x * horner(x, *_LOG1P)
+ jnp.log(1 + x)

p (1 - p) of a sure logit: _numerics/elementary.py
tests/numerics
- lambda z: sigmoid(z) * sigmoid(-z)
+ lambda z: sigmoid(z) * (1 - sigmoid(z))

exp(t) - 1 for expm1(t): _numerics/special.py
tests/regression tests/classification/test_extremes.py -k "general_robust or generalized_cross_entropy"
- jnp.where(tiny, 1 + 0.5 * t, jnp.expm1(t) / jnp.where(tiny, 1, t))
+ jnp.where(t == 0, 1, (jnp.exp(t) - 1) / jnp.where(t == 0, 1, t))

a sign in Stirling's series: _numerics/special.py
CONTRACT tests/likelihood -k "student_t or gamma_nll or many_counts"
- _STIRLING = (1 / 12, -1 / 360
+ _STIRLING = (1 / 12, 1 / 360

no maximum subtracted: _numerics/softmax.py
CONTRACT tests/classification/test_cross_entropy.py -k "[cross_entropy] or offset or large_logits"
- top = clip_to_finite(devices.pmax(top, axis_name))
+ top = 0 * clip_to_finite(devices.pmax(top, axis_name))

a confident row costs 0: _numerics/softmax.py
CONTRACT tests/classification/test_cross_entropy.py -k "[cross_entropy] or confident"
- jnp.where(drowned | jnp.isnan(rest), rest, total - 1)
+ total - 1

smoothed toward classes that are ruled out: _numerics/nll.py
CONTRACT -k "cross_entropy-class_mask"
- allowed = jnp.maximum(devices.psum([allowed], axis_name)[0], 1)
+ allowed = as_number(count, top.dtype)

what is masked is 0, where a formula may not be defined: _contract/formula.py
tests/contract/test_formula.py
- jnp.where(there, x, jnp.where(jnp.any(exists), held, jnp.asarray(harmless, x.dtype)))
+ jnp.where(there, x, jnp.zeros_like(x))

classes beyond the last one of a formula: _contract/formula.py
tests/contract/test_formula.py
- spoil = nan_unless(fits, call.lead.dtype)
+ spoil = 0 * nan_unless(fits | True, call.lead.dtype)

a formula that broadcasts: _contract/formula.py
tests/contract/test_formula.py
- if shape not in fits or (
+ if False and (

an element without members that counts: _contract/formula.py
tests/contract/test_formula.py
- jnp.any(there, tuple(range(len(shape), len(members))))
+ jnp.any(there | True, tuple(range(len(shape), len(members))))

a promise that nothing breaks: _testing/promises.py
tests/contract/test_check_loss.py
- same(found["weight two"]["mean"], found["two copies"]["mean"]
+ same(found["two copies"]["mean"], found["two copies"]["mean"]

a z-loss without the maximum: _numerics/nll.py
CONTRACT -k "[cross_entropy-options"
- normalizer = top + log_normalizer
+ normalizer = log_normalizer

a plausible loss of a label out of range: _numerics/nll.py
CONTRACT -k "[cross_entropy-options"
- top = nan_where(jnp.isnan(poison), present(top, reads))
+ top = present(top, reads)

an array of the logits' size: _contract/classes.py
tests/contract/test_cost.py tests/classification/test_cross_entropy.py -k "cross_entropy and size or memory"
- copies = [scores, *apart(scores if given is None else given, 4)]
+ copies = [scores] * 5

a norm whose squares overflow: _numerics/norm.py
CONTRACT tests/regression -k "cosine_distance or norms or angles"
- jnp.where(top < info.tiny, 1, _invertible(top))
+ jnp.ones_like(top)

a term short: _classification/noisy_labels.py
CONTRACT -k taylor_cross_entropy
- taylor(miss(nll), order)
+ taylor(miss(nll), max(1, order - 1))

a normaliser that is constant in a scan: _classification/bi_tempered.py
CONTRACT -k bi_tempered
- return shift + jnp.where(jnp.isfinite(last), last - lax.stop_gradient(last), 0)
+ return shift

ignored labels in the weight: _classification/cross_entropy.py
tests/contract/test_gradients.py CONTRACT -k "[nll_loss or ignore_index and nll_loss"
- log_probs, labels, poison, axis, mask, reads = classes.labelled(
+ log_probs, labels, poison, axis, _, reads = classes.labelled(

a masked weight reaches a class weight: _contract/weights.py
CONTRACT tests/contract/test_devices.py -k "[cross_entropy-options or masked_weights"
- factors = [jnp.where(bool_mask(mask, rows), factor, 0) for factor in factors]
+ pass

a positive weight on negatives too: _numerics/logistic.py
CONTRACT tests/contract/test_references.py -k binary_cross_entropy_with_logits
- return _nll(z, 1 - y, w * y)
+ return _nll(z, w * (1 - y), w * y)

a weak type of Python's numbers: _combination/named.py
tests/combination
- return {key: mean.astype(dtype) for key, mean in scalars.items()}
+ return {key: mean if mean.dtype == dtype else mean.astype(dtype) for key, mean in scalars.items()}

weights that do not sum to their number: _combination/weighing.py
tests/combination
- len(now) * shares
+ shares

a loss that is infinite under a weight of 0: _combination/combine.py
tests/combination
- times(factors[name].astype(part.dtype), part)
+ factors[name].astype(part.dtype) * part

an ensemble that is never fair: _likelihood/crps.py
CONTRACT -k ensemble_crps
- one = 1 if fair else 0
+ one = 0

class weights that the mean does not divide by: _classification/curves.py
CONTRACT -k softmax_focal_loss
- weights = weigh(call.weights, call.class_weights, labels, mask, axis, logits)
+ given = call.class_weights
+     losses = losses * (1 if given is None else weigh(None, given, labels, None, axis, logits))
+     weights = call.weights

gaps to the class before: _divergence/distance.py
CONTRACT -k wasserstein
- jnp.roll(steps, -1)
+ steps

zero times log(0): _divergence/kl.py
tests/divergence CONTRACT -k "test_zeros or [kl_divergence"
- log_or(y, 0) - jnp.where(y == 0, 0, log_p)
+ log_or(y, 0) - log_p

a margin of the wrong sign: _margin/embedding.py
CONTRACT -k cosine_embedding
- positive((1 - margin) - distances)
+ positive((1 + margin) - distances)

a mask multiplied: _margin/triplets.py
CONTRACT tests/margin -k triplet_margin_with_distance
- jnp.where(exists, x, _placeholder(x, place))
+ x * exists.astype(x.dtype) + _placeholder(x, place) * (1 - exists.astype(x.dtype))

alpha for negatives: _classification/focal.py
CONTRACT -k sigmoid_focal
- (jnp.asarray(alpha), 1 - jnp.asarray(alpha))
+ (1 - jnp.asarray(alpha), jnp.asarray(alpha))

no gap in the empty rest: _detection/overlap.py
CONTRACT -k giou
- rest = both * z + own * (y + z) + other * (x + z) + rest * (i + x + y + z)
+ rest = own * (y + z) + other * (x + z) + rest * (i + x + y + z)

equal boxes without an area: _detection/overlap.py
tests/detection
- jnp.where(same, 0, sum(term(sides)[0] for term in terms))
+ sum(term(sides)[0] for term in terms)

alpha learns: _detection/overlap.py
CONTRACT -k ciou
- alpha = lax.stop_gradient(v * _per(iou(sides)[0] + v))
+ alpha = v * _per(iou(sides)[0] + v)

the slope at the last bin: _detection/quality.py
tests/contract/test_gradients.py -k distribution_focal
- jnp.maximum(most - 1, 0)
+ most

NaN at a shape of 0: _regression/general_robust.py
tests/regression CONTRACT -k general_robust
- far = log * exprel(alpha / width * log)
+ far = width / alpha * jnp.expm1(alpha / width * log)

Stirling's term from a count of 1 on: _likelihood/counts.py
tests/likelihood tests/contract/test_references.py CONTRACT -k poisson
- factorial = jnp.where(labels > 1, xlogy
+ factorial = jnp.where(labels >= 1, xlogy

a row that is its own negative: _contrastive/columns.py
CONTRACT -k clip_loss
- (rows.place[:, None] != columns.place[None]) & rows.exists
+ rows.exists

a covariance of rows by rows of this device alone: _contrastive/batch.py
tests/contrastive/test_batch.py -k on_devices
- all_a, all_b, all_shares = columns.gathered((a, b, share), axis_name)
+ all_a, all_b, all_shares = a, b, share

a class without a row here, of which others have some: _contrastive/proxies.py
tests/contrastive/test_batch.py -k far_off
- top = clip_to_finite(lax.stop_gradient(jnp.max(of_some, 1, initial=-jnp.inf)))
+ top = columns.largest(of_some, 1)

a pair of equal labels: _ranking/pairs.py
CONTRACT -k pairwise_logistic
- y_i > columns(y)
+ y_i >= columns(y)

a padded item in a pair: _ranking/pairs.py
tests/ranking -k padded
- pair = exists_i & columns(exists)
+ pair = exists_i

items of equal labels that don't share a denominator: _ranking/order.py
CONTRACT tests/ranking -k listmle
- for of, x in (lower, equal)
+ for of, x in (lower,)

a length off by one: _sequences/lengths.py
CONTRACT -k ctc_loss
- lengths.ndim + 1) < lengths[..., None]
+ lengths.ndim + 1) <= lengths[..., None]

a label that repeats without a blank between: _sequences/ctc.py
CONTRACT -k ctc_loss
- enter = jnp.where(repeats, after_blank[..., :-1], done[..., :-1])
+ enter = done[..., :-1]

a scale taken off and not put back: _sequences/lattice.py
tests/sequences -k "rnnt or lattice or ctc"
- jnp.sum(levels, 0)
+ levels[-1]

a step that doesn't exist: _sequences/chain.py
CONTRACT tests/sequences -k crf_nll_loss
- return jnp.where(here[..., None], arrives + z, alpha), None
+ return arrives + z, None

a series that waits for nobody: _sequences/time_warping.py
CONTRACT tests/sequences -k soft_dtw
- lattice.log_add(lattice.log_add(waits, proceeds), both)
+ lattice.log_add(proceeds, both)

a reference that learns: _preference/pairs.py
CONTRACT -k dpo_loss
- difference(x, lax.stop_gradient(to))
+ difference(x, to)

a divergence below 0: _preference/examples.py
CONTRACT tests/preference -k kto_loss
- positive(inputs.parameter("kl", kl, "(-inf, inf)", mask, log_probs, "log_probs"))
+ inputs.parameter("kl", kl, "(-inf, inf)", mask, log_probs, "log_probs")

a bound where an action must become rare again: _policy/clipped.py
CONTRACT tests/policy -k ppo_clip
- jnp.where(down, least, -jnp.inf)
+ jnp.where(up, least, -jnp.inf)

advantages that learn: _policy/clipped.py
CONTRACT tests/policy -k ppo_clip
- lax.stop_gradient(old)), lax.stop_gradient(advantages)
+ lax.stop_gradient(old)), advantages

a ratio that is differentiated: _policy/clipped.py
CONTRACT tests/policy -k cispo
- lax.stop_gradient(advantages * ratio)
+ advantages * ratio

an estimate by subtraction: _policy/estimate.py
tests/policy/test_extremes.py
- exp_remainder(-log_ratio)
+ jnp.exp(-log_ratio) - 1 + log_ratio

a mixture the other way round: _divergence/distillation.py
CONTRACT tests/divergence -k distillation
- m = mixture * s.y + (1 - mixture) * s.p
+ m = mixture * s.p + (1 - mixture) * s.y

weights by the variance that are differentiated: _likelihood/location_scale.py
tests/likelihood tests/contract/test_gradients.py CONTRACT -k "gaussian_nll or variance"
- lax.stop_gradient(variance) ** beta
+ variance ** beta

a variance below its floor learns nothing: _likelihood/location_scale.py
tests/likelihood tests/contract/test_gradients.py CONTRACT -k "gaussian_nll or variance"
- variance = at_least(variance, eps)
+ variance = jnp.maximum(variance, eps)

losses of tokens in another order: _classification/linear_head.py
tests/classification/test_linear_cross_entropy.py -k "dense or shapes or ignored or skipped"
- None if order is None else jnp.argsort(order, 1)
+ order

slopes that add up in half precision: _classification/linear_cross_entropy.py
tests/classification/test_linear_cross_entropy.py -k "half or drift or dtypes"
- by_kernel = product(chunk.hidden, by_products, (0, 0), layer.kernel)
+ by_kernel = product(chunk.hidden, by_products, (0, 0), layer.kernel).astype(chunk.hidden.dtype)

a rule with another slope than its body: _margin/binary.py
CONTRACT -k "[hinge_loss"
- lambda m: positive(1 - m), lambda m: -above_zero(1 - m)
+ lambda m: positive(1 - m), lambda m: -above_zero(-m)

the label among its rivals: _margin/multiclass.py
CONTRACT -k multi_margin
- jnp.where(classes.is_label(scores, labels, axis), -jnp.inf, score_gap(scores, own))
+ score_gap(scores, own)

targets after the end of a list: _margin/multilabel.py
CONTRACT -k multilabel_margin
- jnp.cumsum(index == -1, -1, dtype=jnp.int32) == 0
+ index >= 0

a threshold too many: _classification/ordinal.py
CONTRACT -k coral
- labels > threshold
+ labels >= threshold

weights of classes where beta is nearly 1: _classification/class_weights.py
tests/classification -k "balanced"
- -jnp.expm1(powers * jnp.log1p(high - 1))
+ 1 - high**powers

an option made static: _divergence/distillation.py
CONTRACT tests/contract/test_cost.py -k distillation
- temperature: Positive = 2.0
+ temperature: float = 2.0

a slope that cancels near the prior: _divergence/parametric.py
tests/divergence CONTRACT -k gaussian_kl
- 0.5 * jnp.expm1(log_ratio)
+ 0.5 * (jnp.exp(log_ratio) - 1)

the other quantile: _regression/quantile.py
CONTRACT -k quantile
- jnp.where(error > 0, 1 - share, share)
+ jnp.where(error > 0, share, 1 - share)

a body that is wrong where the rule is right: _regression/error.py
CONTRACT -k huber_loss
- quadratic = jnp.minimum(distance, delta)
+ quadratic = lax.stop_gradient(jnp.minimum(distance, delta))

a slope in delta for small errors: _regression/error.py
CONTRACT -k huber_loss
- jnp.maximum(jnp.abs(error) - delta, 0)
+ jnp.abs(error) - delta

a logarithm that loses small differences: _regression/relative.py
tests/regression CONTRACT -k "msle or small"
- jnp.where(near, jnp.log1p(jnp.where(near, ratio, 0)), jnp.log1p(p) - jnp.log1p(y))
+ jnp.log1p(p) - jnp.log1p(y)

an order near 1: _divergence/renyi.py
tests/divergence CONTRACT -k renyi
- close = (b == 0) | ((jnp.abs(t) < 0.5) & ~gone)
+ close = b == 0

a threshold without a derivative: _margin/sparsemax.py
tests/margin CONTRACT -k sparsemax
- return t + excess / count
+ return t

values for slopes: plotting.py
tests/project/test_plotting.py
- right.plot(x, slopes, label=name)
+ right.plot(x, values, label=name)

arrows uphill: plotting.py
tests/project/test_plotting.py
- arrows = -slopes
+ arrows = slopes
"""


class Fault(NamedTuple):
    name: str
    where: str
    old: str
    new: str
    part: list[str]


def faults() -> list[Fault]:
    return [_fault(*block.splitlines()) for block in FAULTS.strip().split("\n\n")]


def _fault(head: str, part: str, *lines: str) -> Fault:
    old, new = ("\n".join(line[2:] for line in lines if line[0] == sign) for sign in "-+")
    return Fault(*head.split(": "), old, new, shlex.split(part.replace("CONTRACT", CONTRACT)))


class Verdict(NamedTuple):
    by_test: str = ""
    by_all: str = ""
    failed: str = ""  # the first test that did
    error: str = ""


def try_out(fault: Fault, copy: Path) -> Verdict:
    file = copy / "jaxloss" / fault.where
    whole = file.read_text()
    file.write_text(whole.replace(fault.old, fault.new))
    try:
        codes = []
        for marker in ("not exhaustive", "exhaustive"):
            code, failed = run_tests(copy, "-x", "-m", marker, *fault.part)
            if code == 1:
                return Verdict("missed" if codes else "caught", "caught", failed[0])
            codes.append(code)
        if codes == [5, 5] or not {*codes} <= {0, 5}:
            return Verdict(error=f"pytest exits with {codes}")
        return Verdict("missed", "missed")
    finally:
        file.write_text(whole)


def run_tests(copy: Path, *arguments: str) -> tuple[int, list[str]]:
    """The exit code of pytest, and what failed, as its cache has it."""
    cache = copy / ".pytest_cache"
    shutil.rmtree(cache, ignore_errors=True)
    # Without the options in pyproject.toml: strict marks would refuse `-m exhaustive` where none is registered.
    command = [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", *arguments]
    code = subprocess.run(command, cwd=copy, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    found = cache / "v/cache/lastfailed"
    return code, [*json.loads(found.read_text())] if found.exists() else []


def copy_checkout(root: Path, to: Path) -> Path:
    for name in subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True).stdout.split("\0"):
        if (root / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, to / name)
    return to


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="only faults whose name holds one of these")
    parser.add_argument("--list", action="store_true", help="only their names")
    parser.add_argument("-j", type=int, default=2, help="how many copies of the checkout are at work at once")
    options = parser.parse_args()
    chosen = [fault for fault in faults() if not options.names or any(name in fault.name for name in options.names)]
    if not chosen:
        parser.error("no fault has such a name; --list shows them")
    root = Path(__file__).parents[2]
    for fault in chosen:
        count = (root / "jaxloss" / fault.where).read_text().count(fault.old)
        if count != 1:
            sys.exit(f"{fault.name}: the text to replace occurs {count} times in {fault.where}")
        if options.list:
            print(f"{fault.name}: {fault.where}, {shlex.join(fault.part)}")
    if options.list:
        return 0

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.j) as workers:
        copies: queue.Queue[Path] = queue.Queue()
        for place in range(options.j):
            copies.put(copy_checkout(root, Path(folder, str(place))))

        def judge(fault: Fault) -> Verdict:
            copy, start = copies.get(), time.perf_counter()
            try:
                verdict = try_out(fault, copy)
            finally:
                copies.put(copy)
            says = verdict.error or f"{verdict.by_test}, {verdict.by_all} {verdict.failed}"
            print(f"{time.perf_counter() - start:4.0f} s  {fault.name}: {says}", flush=True)
            return verdict

        verdicts = [*workers.map(judge, chosen)]
        seen_by = sorted({verdict.failed for verdict in verdicts if verdict.failed})
        code, broken = run_tests(copies.get(), *seen_by) if seen_by else (0, [])
    if code > 1:
        sys.exit(f"pytest exits with {code} for what passes without a fault")
    verdicts = [Verdict(error="fails without it") if verdict.failed in broken else verdict for verdict in verdicts]

    table = "| fault | where | `make test` | `make test-all` |\n|---|---|---|---|\n"
    for fault, verdict in zip(chosen, verdicts):
        table += f"| {fault.name} | {fault.where} | {verdict.error or verdict.by_test} | {verdict.by_all} |\n"
    by_test, by_all = (sum(verdict[place] == "caught" for verdict in verdicts) for place in (0, 1))
    errors = sum(bool(verdict.error) for verdict in verdicts)
    summary = f"{len(chosen)} faults: `make test` sees {by_test}, `make test-all` {by_all}; {errors} errors"
    print(f"\n{table}\n{summary}")
    if not options.names:
        page = root / "docs/matrix.md"
        before = page.read_text(encoding="utf-8").partition("\n## Faults\n")[0]
        page.write_text(f"{before}\n## Faults\n\n{INTRODUCTION}\n\n{summary}.\n\n{table}", encoding="utf-8")
    return int(by_all < len(chosen) or by_test < 0.9 * len(chosen))


if __name__ == "__main__":
    sys.exit(main())
