"""What the test of CUDA graphs and the script for a borrowed GPU share: some steps of a method, compiled."""

import sys
import time

import torch

from snnbook.backbones import NetworkConfig, build_ann
from snnbook.trainers import METHODS
from snnbook.trainers.loop.compiled import compiled

NETWORK = NetworkConfig("vgg9", width=8, time_steps=2)
BATCH = 16
# Methods and their settings: one network, two, and one that counts from step to step.
CASES = {"direct": {}, "tet": {}, "joint": {}, "sastc": {"batch_size": BATCH}}
STEPS = 6


def made(case, device="cpu"):
    torch.manual_seed(0)
    method = METHODS[case]
    needs = (build_ann(NETWORK, 10),) if getattr(method, "needs", ()) else ()
    return method(method.Config(**CASES[case]), NETWORK, 10, 3, *needs).to(device).train()


def batches(device="cpu"):
    """A batch a step, none like another."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(STEPS):
        images = torch.randn(BATCH, 3, 32, 32, generator=generator).to(device)
        yield images, torch.randint(10, (BATCH,), generator=generator).to(device)


def trained(case, device, graphs):
    """Losses of each step, and after them what the method counted; and the seconds of a further step."""
    torch.backends.cudnn.deterministic = True
    method = made(case, device)
    learner, said = compiled(method, device, alone=graphs), []
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], 0.01)
    given = list(batches(device))

    def step(images, labels):
        optimizer.zero_grad(set_to_none=True)
        terms = learner(images, labels)
        sum(terms.values()).backward()
        optimizer.step()
        return {name: value.detach().clone() for name, value in terms.items()}

    for images, labels in given:
        said.append({name: float(value) for name, value in step(images, labels).items()})
    said.append(method.notes() if hasattr(method, "notes") else {})
    start = time.perf_counter()
    for images, labels in 10 * given:
        value = step(images, labels)
    float(sum(value.values()))  # waits for the device
    return said, (time.perf_counter() - start) / (10 * len(given))


def main():
    """A line a method: whether graphs keep its numbers, and the time of a step without them and with them."""
    wrong = 0
    for case in CASES:
        (plain, slow), (graphed, fast) = (
            trained(case, torch.device("cuda"), with_) for with_ in (False, True)
        )
        wrong += plain != graphed
        said = "the same numbers" if plain == graphed else f"WRONG: {graphed} instead of {plain}"
        print(f"graphs: {case}, {said}; {1e3 * slow:.2f} ms a step, {1e3 * fast:.2f} with them", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
