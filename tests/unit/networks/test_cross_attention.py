"""The cheaper order of products gives what the usual one gives, and is taken for few tokens only."""

import pytest
import torch

from mvsam.networks.cross_attention import CrossAttention, ImageToTokens, TokensToImage, reassociate

DIM, HEADS, DOWN, PIXELS = 32, 4, 2, 20


def pair(kind: type[TokensToImage] | type[ImageToTokens]) -> tuple[CrossAttention, TokensToImage | ImageToTokens]:
    """The same weights in the usual order and in the other."""
    torch.manual_seed(0)
    usual, other = CrossAttention(DIM, HEADS, DOWN).double(), kind(DIM, HEADS, DOWN).double()
    other.load_state_dict(usual.state_dict())
    reassociate(other)
    return usual, other


@pytest.mark.parametrize("tokens", [1, 4, 5])
@torch.inference_mode()
def test_tokens_see_the_same_pixels(tokens: int) -> None:
    usual, other = pair(TokensToImage)
    q, k, v = (torch.randn(2, length, DIM).double() for length in (tokens, PIXELS, PIXELS))
    assert torch.allclose(usual(q, k, v), other(q, k, v), atol=1e-12)


@pytest.mark.parametrize("tokens", [1, 4, 5])
@torch.inference_mode()
def test_pixels_see_the_same_tokens_but_for_padding(tokens: int) -> None:
    usual, other = pair(ImageToTokens)
    q, k, v = (torch.randn(2, length, DIM).double() for length in (PIXELS, tokens, tokens))
    keep = torch.rand(2, 1, 1, tokens) < 0.6
    keep[..., 0] = True
    found = other(q, k, v, keep)
    assert torch.allclose(usual(q, k, v, keep), found, atol=1e-12)
    changed = torch.where(keep[:, 0, 0, :, None], v, 100.0)
    assert torch.allclose(other(q, k, changed, keep), found, atol=1e-12)


def test_few_is_where_heads_times_tokens_reach_the_width() -> None:
    attention = TokensToImage(DIM, HEADS, DOWN)
    assert attention.few(torch.zeros(1, 4, DIM))
    assert not attention.few(torch.zeros(1, 5, DIM))


def test_training_keeps_the_usual_order() -> None:
    assert not TokensToImage(DIM, HEADS).reassociated and not ImageToTokens(DIM, HEADS).reassociated
