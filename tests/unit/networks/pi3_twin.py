"""π³ once more, as plainly as NumPy allows and in float64: attention by its definition, SVD, complex rotary phases."""

import math

import numpy as np
from scipy.special import erf

Weights = dict[str, np.ndarray]
Array = np.ndarray


def pi3(weights: Weights, images: Array, *, heads: int, patch: int = 14) -> dict[str, Array]:
    """Points, local points, confidence logits and poses of one scene [N, 3, H, W]."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    views, _, height, width = images.shape
    rows, columns = height // patch, width // patch
    x = (images - w["image_mean"][0]) / w["image_std"][0]
    tokens = np.stack([_encode(w, view, rows, columns, patch, heads) for view in x])
    special = w["register_token"].shape[2]
    tokens = np.concatenate([np.repeat(w["register_token"][0], views, 0), tokens], 1)
    phases = _phases(special, rows, columns, tokens.shape[-1] // heads)
    kept = []
    depth = 1 + max(int(name.split(".")[1]) for name in w if name.startswith("decoder."))
    for index in range(depth):
        if index % 2 == 0:
            tokens = np.stack([_block(w, f"decoder.{index}", view, heads, phases) for view in tokens])
        else:
            joined = tokens.reshape(-1, tokens.shape[-1])
            tokens = _block(w, f"decoder.{index}", joined, heads, np.tile(phases, (views, 1))).reshape(tokens.shape)
        kept.append(tokens)
    hidden = np.concatenate(kept[-2:], -1)
    results = [_heads(w, view, heads, phases, special, rows, columns, patch) for view in hidden]
    return {name: np.stack([result[name] for result in results]) for name in results[0]}


def _heads(
    w: Weights, hidden: Array, heads: int, phases: Array, special: int, rows: int, columns: int, patch: int
) -> dict[str, Array]:
    def branch(name: str) -> Array:
        x = _linear(w, f"{name}.projects", hidden)
        index = 0
        while f"{name}.blocks.{index}.norm1.weight" in w:
            x = _block(w, f"{name}.blocks.{index}", x, heads, phases)
            index += 1
        return _linear(w, f"{name}.linear_out", x)[special:]

    raw = _to_pixels(_linear(w, "point_head.proj", branch("point_decoder")), rows, columns, patch)
    z = np.exp(raw[..., 2])
    local = np.stack([raw[..., 0] * z, raw[..., 1] * z, z], -1)
    confidence = _to_pixels(_linear(w, "conf_head.proj", branch("conf_decoder")), rows, columns, patch)[..., 0]
    x = branch("camera_decoder")
    for index in range(2):
        y = x
        for layer in (1, 2, 3):
            y = np.maximum(_linear(w, f"camera_head.res_conv.{index}.res_conv{layer}", y), 0)
        x = x + y
    x = x.mean(0)
    for layer in (0, 2):
        x = np.maximum(_linear(w, f"camera_head.more_mlps.{layer}", x), 0)
    matrix = _linear(w, "camera_head.fc_rot", x).reshape(3, 3)
    pose = np.eye(4)
    pose[:3, :3] = nearest_rotation(matrix / np.linalg.norm(matrix, axis=-1, keepdims=True))
    pose[:3, 3] = _linear(w, "camera_head.fc_t", x)
    points = local @ pose[:3, :3].T + pose[:3, 3]
    return {"points": points, "local_points": local, "conf": confidence, "camera_poses": pose}


def nearest_rotation(matrix: Array) -> Array:
    """Projection to SO(3) by SVD, with the determinant put right."""
    u, _, vt = np.linalg.svd(matrix)
    return u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt


def _encode(w: Weights, image: Array, rows: int, columns: int, patch: int, heads: int) -> Array:
    patches = image.reshape(3, rows, patch, columns, patch).transpose(1, 3, 0, 2, 4).reshape(rows * columns, -1)
    kernel = w["encoder.patch_embed.proj.weight"]
    x = patches @ kernel.reshape(len(kernel), -1).T + w["encoder.patch_embed.proj.bias"]
    positions = w["encoder.pos_embed"][0]
    side = math.isqrt(len(positions) - 1)
    x = x + resize(positions[1:].reshape(side, side, -1), rows, columns).reshape(rows * columns, -1)
    first = w["encoder.cls_token"][0] + positions[:1]
    x = np.concatenate([first, w["encoder.register_tokens"][0], x])
    index = 0
    while f"encoder.blocks.{index}.norm1.weight" in w:
        x = _block(w, f"encoder.blocks.{index}", x, heads, None)
        index += 1
    return _norm(w, "encoder.norm", x, 1e-6)[1 + w["encoder.register_tokens"].shape[1] :]


def resize(grid: Array, rows: int, columns: int) -> Array:
    """Antialiased bicubic resize of [h, w, c], sample by sample."""

    def axis(x: Array, target: int) -> Array:
        source = len(x)
        scale = source / target
        stretch = max(scale, 1.0)
        out = np.zeros((target, *x.shape[1:]))
        for i in range(target):
            taps = [(j, _cubic((j + 0.5 - (i + 0.5) * scale) / stretch)) for j in range(source)]
            total = sum(weight for _, weight in taps)
            out[i] = sum(x[j] * (weight / total) for j, weight in taps)
        return out

    return axis(axis(grid, rows).transpose(1, 0, 2), columns).transpose(1, 0, 2)


def _cubic(distance: float, a: float = -0.5) -> float:
    d = abs(distance)
    if d < 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else 0.0


def _phases(special: int, rows: int, columns: int, head_dim: int) -> Array:
    """Complex unit phases [tokens, head_dim / 2]: y's frequencies, then x's."""
    count = head_dim // 4
    frequencies = 100.0 ** (-np.arange(count) / count)
    positions = [(0, 0)] * special + [(y, x) for y in range(1, rows + 1) for x in range(1, columns + 1)]
    return np.array(
        [np.concatenate([np.exp(1j * y * frequencies), np.exp(1j * x * frequencies)]) for y, x in positions]
    )


def _turn(x: Array, phases: Array) -> Array:
    quarters = np.split(x, 4, axis=-1)
    y = (quarters[0] + 1j * quarters[1]) * phases[:, : phases.shape[1] // 2]
    z = (quarters[2] + 1j * quarters[3]) * phases[:, phases.shape[1] // 2 :]
    return np.concatenate([y.real, y.imag, z.real, z.imag], -1)


def _block(w: Weights, name: str, x: Array, heads: int, phases: Array | None) -> Array:
    x = x + _attend(w, f"{name}.attn", _norm(w, f"{name}.norm1", x, 1e-6), heads, phases) * w.get(
        f"{name}.ls1.gamma", 1
    )
    hidden = _linear(w, f"{name}.mlp.fc1", _norm(w, f"{name}.norm2", x, 1e-6))
    hidden = hidden * (1 + erf(hidden / np.sqrt(2))) / 2
    return x + _linear(w, f"{name}.mlp.fc2", hidden) * w.get(f"{name}.ls2.gamma", 1)


def _attend(w: Weights, name: str, x: Array, heads: int, phases: Array | None) -> Array:
    q, k, v = np.split(_linear(w, f"{name}.qkv", x), 3, axis=-1)
    out = []
    for qh, kh, vh in zip(*(np.split(part, heads, axis=-1) for part in (q, k, v)), strict=True):
        if f"{name}.q_norm.weight" in w:
            qh, kh = _norm(w, f"{name}.q_norm", qh, 1e-5), _norm(w, f"{name}.k_norm", kh, 1e-5)
        if phases is not None:
            qh, kh = _turn(qh, phases), _turn(kh, phases)
        scores = qh @ kh.T / np.sqrt(qh.shape[-1])
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        out.append(weights / weights.sum(-1, keepdims=True) @ vh)
    return _linear(w, f"{name}.proj", np.concatenate(out, -1))


def _linear(w: Weights, name: str, x: Array) -> Array:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def _norm(w: Weights, name: str, x: Array, eps: float) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps) * w[f"{name}.weight"] + w[f"{name}.bias"]


def _to_pixels(x: Array, rows: int, columns: int, patch: int) -> Array:
    x = x.reshape(rows, columns, -1, patch, patch).transpose(0, 3, 1, 4, 2)
    return x.reshape(rows * patch, columns * patch, -1)
