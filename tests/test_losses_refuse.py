"""A loss is what a loop over its definition computes, or bad input is refused in one line; nothing broadcasts."""

from math import exp, inf, log, nan

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bad_input import one_line
from snnbook import losses
from snnbook.errors import UserError

# The definitions again, number by number.


def log_softmax(row):
    row = [float(x) for x in row]
    total = max(row) + log(sum(exp(x - max(row)) for x in row))
    return [x - total for x in row]


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def hard_or_soft(row, label):
    soft = label.tolist() if label.dim() else [float(k == int(label)) for k in range(len(row))]
    return -sum(p * x for p, x in zip(soft, log_softmax(row), strict=True))


def ce(logits, labels):
    return mean(hard_or_soft(row, z) for row, z in zip(logits, labels, strict=True))


def kl(teacher, student, temperature=1.0):
    total = 0
    for a, s in zip(teacher, student, strict=True):
        for p, q in zip(log_softmax(a / temperature), log_softmax(s / temperature), strict=True):
            total += exp(p) * (p - q)
    return temperature**2 * total / len(student)


def every(outputs, labels):
    return mean(ce(step, labels) for step in outputs)


def squares(x, y):
    assert x.shape == y.shape
    return sum(float(a - b) ** 2 for a, b in zip(x.flatten(), y.flatten(), strict=True))


def mse(outputs, phi=1.0):
    return mean((float(x) - phi) ** 2 for x in outputs.flatten())


def norm(ann, snn):
    return sum(squares(a, s) / a.numel() for a, s in zip(ann, snn, strict=True))


def official(ann, ann_features, snn, snn_features, labels):
    return (
        0.9 * sum(ce(x, labels) for x in [*ann, *snn])
        + 0.1 * sum(kl(ann[-1], x, 3.0) for x in ann[:-1])
        + 0.1 * sum(kl(a, s, 3.0) for a, s in zip(ann, snn, strict=True))
        + 1e-6 * sum(squares(a, s) for a, s in zip(ann_features, snn_features, strict=True))
    )


def products(x):
    return torch.stack([torch.stack([(a * b).sum() for b in x]) for a in x])


def attention(queries, keys):
    assert queries.dim() == 4
    result = torch.zeros(*queries.shape[:3], keys.shape[1])
    for t, b, s in torch.cartesian_prod(*map(torch.arange, queries.shape[:3])).view(-1, 3).tolist():
        assert queries.shape[1] == len(keys)
        row = [float(sum(q * k for q, k in zip(queries[t, b, s], key, strict=True))) for key in keys[b]]
        result[t, b, s] = torch.tensor(log_softmax(row)).exp()
    return result


def distances(projected, target):
    assert projected.dim() == 5
    return torch.tensor(
        [[squares(x, y) / y.numel() for x, y in zip(p, target, strict=True)] for p in projected]
    )


def calibrated(weights, apart):
    assert weights.shape == apart.shape
    return float((weights * apart).sum()) / weights[..., 0].numel()


def our_official(ann, ann_features, snn, snn_features, labels):
    return sum(losses.be_your_own_teacher((ann, ann_features), (snn, snn_features), labels).values())


# Axes of the arguments; a list of exits is in brackets, and labels are what they are.
LOSSES = {
    "sdt": (losses.sdt, lambda o, z: ce(o.mean(0), z), ("T B K", "labels")),
    "every_moment": (losses.every_moment, every, ("T B K", "labels")),
    "tet": (losses.tet, lambda o, z: 0.95 * every(o, z) + 0.05 * mse(o), ("T B K", "labels")),
    "mse_regularizer": (losses.mse_regularizer, mse, ("T B K",)),
    "kl_divergence": (losses.kl_divergence, kl, ("B K", "B K")),
    "cross_entropy": (losses.cross_entropy, lambda x, z: sum(ce(y, z) for y in x), ("[B K]", "labels")),
    "kld_loss": (losses.kld_loss, lambda x, y: sum(map(kl, x, y)), ("[B K]", "[B K]")),
    "norm_loss": (losses.norm_loss, norm, ("[B K]", "[B K]")),
    "be_your_own_teacher": (our_official, official, ("[B K]", "[B D]", "[B K]", "[B D]", "labels")),
    "similarity": (losses.similarity, products, ("B D H",)),
    "similarity over time": (
        lambda x: losses.similarity(x, time=True),
        lambda x: torch.stack([products(step) for step in x]),
        ("T B D H",),
    ),
    "attention_weights": (losses.attention_weights, attention, ("T B S E", "B K E")),
    "distance": (losses.distance, distances, ("T B D H W", "B D H W")),
    "calibration": (losses.calibration, calibrated, ("T B S K", "T B S K")),
}


@st.composite
def arguments(draw, patterns, right=False):
    """Arguments of a loss; at most one of their tensors has another shape, type or length than it should."""
    sizes = {axis: draw(st.integers(1, 3)) for axis in "TBKDHWSE"}
    soft, exits = draw(st.booleans()), draw(st.integers(1, 2))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))

    def tensor(pattern):
        if pattern == "labels" and not soft:
            return torch.randint(sizes["K"], (sizes["B"],), generator=generator)
        shape = [sizes[axis] for axis in ("B K" if pattern == "labels" else pattern).split()]
        values = torch.randn(shape, generator=generator, dtype=torch.float64)
        return values.softmax(-1) if pattern == "labels" else values

    found = []
    for pattern in patterns:
        listed = pattern.startswith("[")
        found.append([tensor(pattern[1:-1]) for _ in range(exits)] if listed else tensor(pattern))
    if not right:
        which = draw(st.integers(0, len(found) - 1))
        if isinstance(found[which], list):
            change = draw(st.sampled_from(["shorter", "longer", "entry", "entry"]))
            if change == "shorter":
                found[which].pop()
            elif change == "longer":
                found[which].append(found[which][0])
            else:
                found[which][-1] = changed(draw, found[which][-1], generator)
        else:
            found[which] = changed(draw, found[which], generator)
    return found


def changed(draw, x: Tensor, generator) -> Tensor:
    change = draw(st.sampled_from(["drop", "add", "size", "size", "type", "values"]))
    if change == "drop":
        return x.sum(draw(st.integers(0, x.dim() - 1))) if x.dim() else x
    if change == "add":
        axis = draw(st.integers(0, x.dim()))
        return x.unsqueeze(axis).repeat_interleave(draw(st.integers(1, 2)), axis)
    if change == "size":
        axis = draw(st.integers(0, x.dim() - 1))
        size = draw(st.sampled_from([n for n in range(5) if n != x.shape[axis]]))
        picked = torch.randint(x.shape[axis], (size,), generator=generator)
        return x.index_select(axis, picked)
    if change == "type":
        return x.long() if x.is_floating_point() else x.double()
    return x - 7 if not x.is_floating_point() else x


@pytest.mark.parametrize("name", LOSSES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_loss_is_its_definition_or_refuses(name, data):
    loss, definition, patterns = LOSSES[name]
    found = data.draw(arguments(patterns))
    try:
        got = loss(*found)
    except UserError as error:
        assert "\n" not in str(error) and len(str(error)) < 400
        assert "expected" in str(error)
        return
    expected = torch.as_tensor(definition(*found), dtype=got.dtype)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_right_input_is_never_refused(name, data):
    loss, definition, patterns = LOSSES[name]
    found = data.draw(arguments(patterns, right=True))
    got = loss(*found)
    torch.testing.assert_close(
        got, torch.as_tensor(definition(*found), dtype=got.dtype), rtol=1e-5, atol=1e-6
    )


OUT, LABELS = torch.randn(2, 3, 4), torch.tensor([0, 1, 3])


def of_one_exit(outputs, labels):
    return losses.cross_entropy([outputs[0]], labels)


PAIR = ([OUT[0]], [OUT[1]])


@pytest.mark.parametrize("lam", [-0.1, 1.1, nan, inf, "0.1", True, None])
def test_shares_out_of_range(lam):
    one_line(lambda: losses.tet(OUT, LABELS, lam=lam), "lam is", lam)
    one_line(lambda: losses.be_your_own_teacher(PAIR, PAIR, LABELS, alpha=lam), "alpha is", lam)


@pytest.mark.parametrize("temperature", [0, -1.0, nan, inf, "3", None])
def test_temperatures_out_of_range(temperature):
    one_line(
        lambda: losses.kl_divergence(OUT[0], OUT[1], temperature), "temperature is", temperature, "above 0"
    )
    one_line(
        lambda: losses.be_your_own_teacher(PAIR, PAIR, LABELS, temperature=temperature), "temperature is"
    )


@pytest.mark.parametrize("value", [nan, inf, -inf, "1"])
def test_other_numbers_that_are_none(value):
    one_line(lambda: losses.mse_regularizer(OUT, phi=value), "phi is")
    one_line(lambda: losses.tet(OUT, LABELS, phi=value), "phi is")
    one_line(lambda: losses.be_your_own_teacher(PAIR, PAIR, LABELS, beta=value), "beta is")
    one_line(lambda: losses.be_your_own_teacher(PAIR, PAIR, LABELS, beta=-1.0), "beta is -1.0")


@pytest.mark.parametrize(
    "labels",
    [
        torch.tensor([0, 1, 4]),
        torch.tensor([0, 1, -1]),
        torch.tensor([0, 1, -100]),  # which torch would leave out in silence
        torch.tensor([0.0, 1.0, 2.0]),
        torch.tensor([[0], [1], [2]]),
        torch.tensor([0, 1]),
        torch.eye(4)[:3].long(),
        torch.randn(3, 4),
        torch.full((3, 4), nan),
        torch.ones(3, 4),
        torch.tensor([0, 1, 2], dtype=torch.complex64),
        [0, 1, 2],
        None,
    ],
    ids=str,
)
@pytest.mark.parametrize("loss", [losses.sdt, losses.every_moment, losses.tet, of_one_exit])
def test_labels_that_are_none(loss, labels):
    one_line(lambda: loss(OUT, labels), "labels", "expected")


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int32])
def test_class_numbers_of_any_integer_type(dtype):
    for loss in (losses.sdt, losses.every_moment, losses.tet):
        assert loss(OUT, LABELS.to(dtype)) == loss(OUT, LABELS)


def test_soft_labels_that_are_hard_give_the_same():
    soft = torch.nn.functional.one_hot(LABELS, 4).float()
    for loss in (losses.sdt, losses.every_moment, losses.tet):
        torch.testing.assert_close(loss(OUT, soft), loss(OUT, LABELS))
    torch.testing.assert_close(losses.cross_entropy([OUT[0]], soft), losses.cross_entropy([OUT[0]], LABELS))


@pytest.mark.parametrize("labels", [LABELS, OUT[0].softmax(-1)], ids=["hard", "soft"])
@pytest.mark.parametrize("loss", [losses.sdt, losses.every_moment, losses.tet, of_one_exit])
def test_gradients_of_each_image_at_once(loss, labels):
    def one(outputs, label, length):  # of one image
        if loss is of_one_exit:
            return loss(outputs[:, None], label[None])
        return loss(outputs[:, None], label[None], lengths=length[None])

    lengths, each = torch.tensor([1, 2, 2]), torch.func.grad(one)
    found = torch.func.vmap(each, (1, 0, 0))(OUT, labels, lengths)
    expected = [each(OUT[:, i], labels[i], lengths[i]) for i in range(3)]
    torch.testing.assert_close(found, torch.stack(expected))
    value = torch.func.vmap(one, (1, 0, 0))(OUT, labels, lengths)
    torch.testing.assert_close(value, torch.stack([one(OUT[:, i], labels[i], lengths[i]) for i in range(3)]))


@pytest.mark.parametrize("wrong", [None, [], (), OUT[0], "exits", [None], [OUT[0].numpy()]], ids=repr)
def test_what_is_no_list_of_exits(wrong):
    one_line(lambda: losses.cross_entropy(wrong, LABELS), "expected")
    one_line(lambda: losses.kld_loss(wrong, [OUT[0]]), "expected")
    one_line(lambda: losses.norm_loss([OUT[0]], wrong), "expected")
    one_line(lambda: losses.be_your_own_teacher((wrong, wrong), PAIR, LABELS), "expected")
    one_line(lambda: losses.be_your_own_teacher(wrong, PAIR, LABELS), "expected")


def test_one_exit_has_nothing_to_teach_itself():
    terms = losses.be_your_own_teacher(PAIR, PAIR, LABELS)
    assert isinstance(terms["self"], Tensor) and terms["self"] == 0


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_checks_leave_one_graph_and_take_no_values(temperature):
    """Compiled whole, and on the device of shapes alone, where reading a value would fail."""

    def all_losses(o, z):
        exits = [o[0], o[1]]
        kl = losses.kl_divergence(o[0], o[1], temperature)
        pair = exits, [x.square() for x in exits]
        official = sum(losses.be_your_own_teacher(pair, pair, z, temperature=temperature).values())
        return losses.tet(o, z) + losses.sdt(o, z) + losses.cross_entropy(exits, z) + kl + official

    compiled = torch.compile(all_losses, backend="eager", fullgraph=True)
    for labels in (LABELS, OUT[0].softmax(-1)):
        torch.testing.assert_close(compiled(OUT, labels), all_losses(OUT, labels))
    assert all_losses(OUT.to("meta"), LABELS.to("meta")).shape == ()
    for loss in (losses.sdt, losses.every_moment, losses.tet, of_one_exit):
        one_line(lambda loss=loss: loss(OUT.to("meta"), LABELS), "labels are on cpu, outputs on meta")
    lengths = torch.ones(3).long()
    one_line(lambda: losses.sdt(OUT.to("meta"), LABELS.to("meta"), lengths), "lengths are on cpu")
    one_line(lambda: losses.kl_divergence(OUT[0], OUT[0].to("meta")), "student is on meta, teacher on cpu")
