"""Generator and critic are trained at once, and neither by the other's loss."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from scopezoo.models.adversary import AdversarialPair, Critic2d  # noqa: E402
from scopezoo.models.pix2pix import Pix2PixGenerator2d  # noqa: E402


@pytest.fixture
def pair() -> AdversarialPair:
    torch.manual_seed(0)
    return AdversarialPair(Pix2PixGenerator2d((8, 12), 8), Critic2d((8, 12)))


def has_gradient(network: torch.nn.Module) -> bool:
    return any(
        weight.grad is not None and bool(weight.grad.any()) for weight in network.parameters()
    )


def attempt(pair: AdversarialPair) -> tuple[torch.Tensor, ...]:
    labels = torch.randint(0, 4, (2, 1, 32, 32)).float()
    found = pair(labels, torch.randn(2, 1, 32, 32), torch.zeros(2, 1, 32, 32))
    assert found.smooth.shape == labels.shape
    assert found.of_real.shape == found.of_made.shape == (2, 1, 8, 8)
    assert torch.equal(found.of_made, found.for_maker)
    return tuple(found)


@pytest.mark.parametrize(
    ("score", "teaches_critic"), [("of_real", True), ("of_made", True), ("for_maker", False)]
)
def test_a_score_teaches_one_of_the_two(
    pair: AdversarialPair, score: str, teaches_critic: bool
) -> None:
    number = ("smooth", "of_real", "of_made", "for_maker").index(score)
    attempt(pair)[number].square().mean().backward()
    assert has_gradient(pair.critic) == teaches_critic
    assert has_gradient(pair.generator) != teaches_critic
