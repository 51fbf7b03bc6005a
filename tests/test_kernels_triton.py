"""The Triton kernel equals the reference: natively where there is CUDA, else in Triton's interpreter.

The interpreter must be asked for before Triton is imported, so the last test runs this file again in a process
of its own.  Compiling for a GPU needs none; that is tested here, too.
"""

import importlib
import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_cases import SURROGATES, run
from snnbook import surrogates
from snnbook.errors import UserError
from snnbook.kernels import Dynamics, lif_reference

module = importlib.import_module("snnbook.kernels.triton")  # not the function of the same name
lif_triton = module.lif_triton

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"
runs = pytest.mark.skipif(
    not module.INSTALLED or not (INTERPRETED or torch.cuda.is_available()),
    reason="no CUDA; runs in the interpreter, see the last test",
)
compiles = pytest.mark.skipif(INTERPRETED or not module.INSTALLED, reason="an interpreted kernel has no code")


def compare(current, dynamics, decay, weight):
    """Spikes bit for bit and gradients to rounding; the reference runs in float32."""
    expected = run(lif_reference, current.float(), dynamics, decay, weight.float())
    got = run(lif_triton, current, dynamics, decay, weight)
    assert got[0].dtype == got[1].dtype == current.dtype
    assert torch.equal(got[0].float(), expected[0])
    tolerance = dict(rtol=1e-5, atol=2e-6) if current.dtype == torch.float32 else dict(rtol=1e-2, atol=1e-3)
    torch.testing.assert_close(got[1].float(), expected[1], **tolerance)
    if expected[2] is not None:
        torch.testing.assert_close(got[2], expected[2], rtol=1e-4, atol=1e-3)
    return got


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE)


@runs
@pytest.mark.parametrize("surrogate", SURROGATES, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("hard_reset", [True, False])
@pytest.mark.parametrize("detach_reset", [True, False])
def test_equals_reference(surrogate, strict, hard_reset, detach_reset):
    current = (normal(4, 3, 7, 29) * 8).round() / 8  # some potentials meet the threshold exactly
    dynamics = Dynamics(0.5, surrogate, strict, hard_reset, detach_reset)
    spikes, *_ = compare(current, dynamics, torch.tensor(0.5, device=DEVICE), normal(4, 3, 7, 29, seed=1))
    assert 0.05 < spikes.mean() < 0.95


@runs
@given(
    time_steps=st.integers(1, 6),
    size=st.integers(1, 1100),
    decay=st.floats(0.01, 1.0),
    threshold=st.floats(0.1, 2.0),
    seed=st.integers(0, 1000),
)
@settings(max_examples=15, deadline=None)
def test_equals_reference_for_any_size_and_constants(time_steps, size, decay, threshold, seed):
    current, weight = normal(time_steps, size, seed=seed), normal(time_steps, size, seed=seed + 1)
    compare(current, Dynamics(threshold, surrogates.ATan(2.0)), decay, weight)


@runs
@pytest.mark.parametrize("hard_reset", [True, False])
@pytest.mark.parametrize("time_steps", [1, 7, 8, 9, 19])
def test_sequences_of_one_and_several_chunks(time_steps, hard_reset):
    current, weight = normal(time_steps, 130), normal(time_steps, 130, seed=1)
    dynamics = Dynamics(0.5, surrogates.Sigmoid(4.0), hard_reset=hard_reset)
    compare(current, dynamics, torch.tensor(0.9, device=DEVICE), weight)


@runs
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("hard_reset", [True, False])
def test_half_precision_keeps_a_float32_potential(dtype, hard_reset):
    current, weight = normal(6, 1500).to(dtype), normal(6, 1500, seed=1).to(dtype)
    dynamics = Dynamics(0.5, surrogates.Triangle(1.0), hard_reset=hard_reset)
    spikes, *_ = compare(current, dynamics, torch.tensor(0.37, device=DEVICE), weight)
    if dtype == torch.bfloat16:  # the reference rounds the potential at each step, and some spikes with it
        assert not torch.equal(spikes, lif_reference(current, dynamics, 0.37))


@runs
@pytest.mark.parametrize(
    "layout", ["contiguous", "channels_last", "repeated", "repeated_channels_last", "gaps"]
)
def test_memory_layouts(layout):
    current = normal(3, 2, 5, 4, 3)
    if "channels_last" in layout:
        current = current.flatten(0, 1).to(memory_format=torch.channels_last).unflatten(0, (3, 2))
    if "repeated" in layout:
        current = current[:1].expand(3, -1, -1, -1, -1)
    if layout == "gaps":
        current = normal(3, 2, 5, 4, 6)[..., ::2]
    spikes, gradient, _ = compare(current, Dynamics(0.5), 0.5, normal(3, 2, 5, 4, 3, seed=1))
    assert spikes.stride(0) == spikes[0].numel()
    if "channels_last" in layout:
        assert spikes.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
        assert spikes.stride()[1:] == current.stride()[1:]
    if layout == "channels_last":  # torch itself lays out the gradient of a repeated leaf
        assert gradient.stride() == current.stride()


@runs
@pytest.mark.parametrize("repeated", [False, True])
def test_keeps_the_current_and_nothing_else(repeated):
    current = normal(1, 2, 5, 4, 4).expand(4, -1, -1, -1, -1) if repeated else normal(4, 2, 5, 4, 4)
    current = current.detach().requires_grad_()
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: saved.append(x) or x, lambda x: x):
        lif_triton(current, Dynamics(), 0.5)
    assert [x.data_ptr() for x in saved] == [current.data_ptr()]
    assert saved[0].untyped_storage().nbytes() == 4 * 160 * (1 if repeated else 4)


@runs
def test_a_current_changed_in_place_is_noticed():
    current = normal(2, 10).requires_grad_() * 1
    spikes = lif_triton(current, Dynamics(), 0.5)
    current.add_(1)
    with pytest.raises(RuntimeError, match="inplace"):
        spikes.sum().backward()


@runs
def test_no_neurons():
    spikes, gradient, decay_gradient = compare(
        normal(3, 0, 4), Dynamics(), torch.tensor(0.5, device=DEVICE), normal(3, 0, 4)
    )
    assert spikes.shape == gradient.shape == (3, 0, 4)
    assert decay_gradient == 0


@runs
def test_the_decay_may_lie_elsewhere_and_in_another_type():
    current, weight = normal(3, 50), normal(3, 50, seed=1)
    expected = run(lif_triton, current, Dynamics(0.5), torch.tensor(0.25, device=DEVICE), weight)
    got = run(lif_triton, current, Dynamics(0.5), torch.tensor(0.25, dtype=torch.bfloat16), weight)
    assert torch.equal(got[1], expected[1])
    assert got[2].dtype == torch.bfloat16
    torch.testing.assert_close(got[2].float(), expected[2].cpu(), rtol=1e-2, atol=1e-3)


@runs
def test_is_a_well_behaved_operator():
    current = normal(3, 2, 4, 3, 3).flatten(0, 1).to(memory_format=torch.channels_last).unflatten(0, (3, 2))
    decay = torch.tensor(0.5, device=DEVICE, requires_grad=True)
    settings = (0.5, 0.5, True, True, False, "triangle", 1.0, 1.0)
    torch.library.opcheck(module._lif, (current.requires_grad_(), decay, *settings))
    torch.library.opcheck(module._lif_backward, (normal(3, 2, 4, 3, 3), current.detach(), None, *settings))


@runs
@pytest.mark.parametrize("learned", [True, False])
def test_compiles_to_one_graph(learned):
    decay = torch.tensor(0.5, device=DEVICE) if learned else 0.5
    current, weight = normal(3, 40), normal(3, 40, seed=1)
    dynamics = Dynamics(0.5, surrogates.DSpike(3.0))

    def layer(current, dynamics, decay):
        return 2 * lif_triton(1.5 * current, dynamics, decay)

    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    for got, expected in zip(
        run(compiled, current, dynamics, decay, weight),
        run(layer, current, dynamics, decay, weight),
        strict=True,
    ):
        assert (got is expected is None) or torch.equal(got, expected)


@compiles
@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
@pytest.mark.parametrize("kernel", ["forward", "backward"])
def test_compiles_for_hopper_without_fused_multiply_add(kernel, dtype, monkeypatch, tmp_path):
    """The assembler runs without a GPU: wide accesses, no fused rounding, nothing spilled beyond registers."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from snnbook.kernels import triton_device

    function = getattr(triton_device, kernel)
    current = torch.empty(4, 1 << 20, dtype=torch.bfloat16 if dtype == "bf16" else torch.float32)
    _, _, options = triton_device._plan(current, torch.tensor(0.5), strict=True, hard_reset=True)
    options |= dict(DETACH=False, SHAPE="sigmoid")
    constants = {name: options[name] for name in function.arg_names if name in options}
    numbers = dict.fromkeys(("threshold", "a", "b"), "fp32") | dict.fromkeys(("decay", "partial"), "*fp32")
    sizes = dict.fromkeys(("size", "stride", "gradient_stride"), "i32")
    types = numbers | sizes | dict.fromkeys(constants, "constexpr")
    signature = {name: types.get(name, f"*{dtype}") for name in function.arg_names}
    # What the launcher finds out about these arguments: addresses and sizes are multiples of 16.
    aligned = [name for name, kind in signature.items() if kind[0] == "*" or kind == "i32"]
    source = ASTSource(
        function,
        signature,
        constexprs={(function.arg_names.index(name),): value for name, value in constants.items()},
        attrs={(function.arg_names.index(name),): [["tt.divisibility", 16]] for name in aligned},
    )
    launch = {name: options[name] for name in ("num_warps", "enable_fp_fusion")}
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=launch)
    code = compiled.asm["ptx"]
    assert code.count("ld.global.v4.b32") == (4 if kernel == "forward" else 8)
    assert code.count("st.global.v4.b32") == 4
    assert "fma." not in code
    assert len(compiled.asm["cubin"]) > 0


def test_bad_input_is_refused(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with pytest.raises(UserError, match="runs on CUDA devices, not on cpu"):
        lif_triton(torch.ones(2, 3), Dynamics(), 0.5)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    for dtype in (torch.float64, torch.int64):
        with pytest.raises(UserError, match=f"not {dtype}"):
            lif_triton(torch.ones(2, 3, dtype=dtype), Dynamics(), 0.5)
    monkeypatch.setattr(module, "INSTALLED", False)
    with pytest.raises(UserError, match="not installed"):
        lif_triton(torch.ones(2, 3), Dynamics(), 0.5)


def test_every_surrogate_has_a_shape():
    assert set(module.SHAPES) == set(surrogates.BUILT_IN)


@pytest.mark.skipif(INTERPRETED, reason="the interpreter changes nothing here")
def test_imports_without_triton():
    code = (
        "import sys, importlib; sys.modules['triton'] = None; "
        "print(importlib.import_module('snnbook.kernels.triton').INSTALLED)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.skipif(
    INTERPRETED or not module.INSTALLED, reason="needs triton; this is the interpreter already"
)
def test_in_the_interpreter():
    environment = os.environ | {"TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
