"""π³: unposed photographs to pointmaps, confidences and cameras (arXiv 2507.13347).

Written for clean export; module names follow the official checkpoint, so that its state dict loads strictly.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mvsam.networks.position_grid import resize_grid
from mvsam.networks.precision import Islands
from mvsam.networks.presets import Pi3Config
from mvsam.networks.rope import RotaryTable, rotary_table
from mvsam.networks.rotation import nearest_rotation
from mvsam.networks.vit import NORM_EPS, Block

IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)


class Pi3Output(NamedTuple):
    """What π³ says of B scenes of N views. The global frame and the scale are arbitrary."""

    points: Float[Tensor, "scenes views height width 3"]  # in the scene's frame
    local_points: Float[Tensor, "scenes views height width 3"]  # in each camera's frame, OpenCV axes
    confidence_logits: Float[Tensor, "scenes views height width"]
    camera_poses: Float[Tensor, "scenes views 4 4"]  # camera to world


class PatchEmbed(nn.Module):
    """Non-overlapping patches to tokens."""

    def __init__(self, dim: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, patch, stride=patch)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim h w"]:
        return self.proj(images)


class PatchEncoder(nn.Module):
    """DINOv2's ViT with register tokens; only its patch tokens leave it."""

    def __init__(self, config: Pi3Config) -> None:
        super().__init__()
        dim, side = config.dim, config.position_grid
        self.side = side
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + side * side, dim))
        self.register_tokens = nn.Parameter(torch.zeros(1, config.encoder_registers, dim))
        self.patch_embed = PatchEmbed(dim, config.patch)
        self.blocks = nn.ModuleList(Block(dim, config.heads, layer_scale=1.0) for _ in range(config.encoder_depth))
        self.norm = nn.LayerNorm(dim, eps=NORM_EPS)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch patches dim"]:
        patches = self.patch_embed(images)
        batch, _, h, w = patches.shape
        grid = self.pos_embed[0, 1:].unflatten(0, (self.side, self.side))
        x = patches.flatten(2).transpose(1, 2) + resize_grid(grid, h, w).flatten(0, 1).to(grid.dtype)
        first = torch.cat([self.cls_token + self.pos_embed[:, :1], self.register_tokens], dim=1)
        x = torch.cat([first.expand(batch, -1, -1), x], dim=1)
        for block in self.blocks:
            x = block(x)
        return self.norm(x[:, first.shape[1] :])


class HeadDecoder(nn.Module):
    """A few blocks inside each view that prepare the decoder's tokens for one head."""

    def __init__(self, config: Pi3Config, out_dim: int) -> None:
        super().__init__()
        self.projects = nn.Linear(2 * config.dim, config.dim)
        self.blocks = nn.ModuleList(Block(config.dim, config.heads) for _ in range(config.head_depth))
        self.linear_out = nn.Linear(config.dim, out_dim)

    def forward(
        self, x: Float[Tensor, "batch tokens dim2"], table: RotaryTable, special: int
    ) -> Float[Tensor, "batch patches out"]:
        x = self.projects(x)
        for block in self.blocks:
            x = block(x, table)
        return self.linear_out(x[:, special:])


class PixelHead(nn.Module):
    """Patch tokens to `channels` numbers a pixel."""

    def __init__(self, dim: int, channels: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.proj = nn.Linear(dim, channels * patch * patch)

    def forward(
        self, x: Float[Tensor, "batch patches dim"], h: int, w: int
    ) -> Float[Tensor, "batch channels height width"]:
        x = self.proj(x).transpose(1, 2).unflatten(2, (h, w))
        return F.pixel_shuffle(x, self.patch)


class ResidualMlp(nn.Module):
    """Three linear layers with ReLU around a skip."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.res_conv1 = nn.Linear(dim, dim)
        self.res_conv2 = nn.Linear(dim, dim)
        self.res_conv3 = nn.Linear(dim, dim)

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        y = F.relu(self.res_conv1(x))
        y = F.relu(self.res_conv2(y))
        return x + F.relu(self.res_conv3(y))


class CameraHead(nn.Module):
    """Patch tokens of a view to its pose."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.res_conv = nn.ModuleList([ResidualMlp(dim), ResidualMlp(dim)])
        self.more_mlps = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim), nn.ReLU())
        self.fc_t = nn.Linear(dim, 3)
        self.fc_rot = nn.Linear(dim, 9)

    def forward(
        self, x: Float[Tensor, "batch patches dim"]
    ) -> tuple[Float[Tensor, "batch 3 3"], Float[Tensor, "batch 3"]]:
        """Rotation and position, camera to world."""
        for block in self.res_conv:
            x = block(x)
        x = self.more_mlps(x.mean(1))
        rows = F.normalize(self.fc_rot(x).unflatten(-1, (3, 3)), dim=-1)
        return nearest_rotation(rows), self.fc_t(x)


class Pi3(nn.Module):
    """The whole network. Views attend to one another in every other block, and no view is special: permuting them
    permutes the outputs."""

    image_mean: Tensor
    image_std: Tensor

    def __init__(self, config: Pi3Config) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        self.register_buffer("image_mean", torch.tensor(IMAGE_MEAN).reshape(1, 3, 1, 1))
        self.register_buffer("image_std", torch.tensor(IMAGE_STD).reshape(1, 3, 1, 1))
        self.encoder = PatchEncoder(config)
        self.register_token = nn.Parameter(torch.zeros(1, 1, config.decoder_registers, dim))
        self.decoder = nn.ModuleList(
            Block(dim, config.heads, qk_norm=True, layer_scale=0.01) for _ in range(config.decoder_depth)
        )
        self.point_decoder = HeadDecoder(config, dim)
        self.point_head = PixelHead(dim, 3, config.patch)
        self.conf_decoder = HeadDecoder(config, dim)
        self.conf_head = PixelHead(dim, 1, config.patch)
        self.camera_decoder = HeadDecoder(config, config.camera_dim)
        self.camera_head = CameraHead(config.camera_dim)

    def forward(self, images: Float[Tensor, "scenes views 3 height width"]) -> Pi3Output:
        """Pointmaps of B scenes.

        Args:
            images: RGB in [0, 1]; height and width are multiples of the patch.
        """
        return self.heads(self.tokens(images), images.shape)

    def tokens(
        self, images: Float[Tensor, "scenes views 3 height width"]
    ) -> Float[Tensor, "views_of_all_scenes tokens dim2"]:
        """What the decoder makes of each view: its registers, then its patches."""
        scenes, views, _, height, width = images.shape
        patches = self.encoder((images.flatten(0, 1) - self.image_mean) / self.image_std)
        registers = self.register_token[0].expand(scenes * views, -1, -1)
        return self._decode(torch.cat([registers, patches], dim=1), scenes, views, self._table(height, width))

    def heads(self, tokens: Float[Tensor, "views_of_all_scenes tokens dim2"], shape: torch.Size) -> Pi3Output:
        """Tokens to pointmaps, for images of that shape."""
        scenes, views, _, height, width = shape
        h, w = height // self.config.patch, width // self.config.patch
        special, table = self.config.decoder_registers, self._table(height, width)
        local = self.point_head(self.point_decoder(tokens, table, special), h, w).float()
        depth = local[:, 2:].exp()
        local = torch.cat([local[:, :2] * depth, depth], dim=1).permute(0, 2, 3, 1)
        confidence = self.conf_head(self.conf_decoder(tokens, table, special), h, w).float()[:, 0]
        rotation, position = self.camera_head(self.camera_decoder(tokens, table, special))
        points = (local[:, :, :, None, :] * rotation[:, None, None]).sum(-1) + position[:, None, None]
        last = torch.tensor([0.0, 0.0, 0.0, 1.0], device=tokens.device).expand(scenes * views, 1, 4)
        poses = torch.cat([torch.cat([rotation, position[..., None]], dim=-1), last], dim=1)
        split = (scenes, views)
        return Pi3Output(*(x.unflatten(0, split) for x in (points, local, confidence, poses)))

    def _table(self, height: int, width: int) -> RotaryTable:
        """Rotary positions of a view's tokens."""
        h, w, config = height // self.config.patch, width // self.config.patch, self.config
        return rotary_table(config.decoder_registers, h, w, config.dim // config.heads, self.image_mean.device)

    def _decode(
        self, x: Float[Tensor, "batch tokens dim"], scenes: int, views: int, table: RotaryTable
    ) -> Float[Tensor, "batch tokens dim2"]:
        """Attention inside each view (even blocks) and over the scene (odd); the last two outputs, side by side."""
        tokens = x.shape[1]
        scene_table = table.repeat(views)
        outputs = []
        for index, block in enumerate(self.decoder):
            if index % 2 == 0:
                x = block(x.reshape(scenes * views, tokens, -1), table)
            else:
                x = block(x.reshape(scenes, views * tokens, -1), scene_table)
            outputs.append(x.reshape(scenes * views, tokens, -1))
        return torch.cat(outputs[-2:], dim=-1)


# Log-depths go through an exponential, and a pose moves every point of its view.
ISLANDS: dict[type[nn.Module], Islands] = {Pi3: Islands(fp32=("point_head", "conf_head", "camera_head"))}
