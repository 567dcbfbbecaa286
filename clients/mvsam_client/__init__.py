"""Photographs and clicks in, masks out: the client of the MV-SAM inference server."""

from mvsam_client.client import Client, Server
from mvsam_client.connection import Tls
from mvsam_client.errors import (
    DeadlineExceededError,
    InvalidRequestError,
    MvsamError,
    ServerError,
    ServerUnavailableError,
    UnauthenticatedError,
    UnknownSceneError,
)
from mvsam_client.prompts import Box, Click, Geometry, MaskPrompt
from mvsam_client.result import Segmentation, ViewMasks
from mvsam_client.scene import Scene

__all__ = [
    "Box",
    "Click",
    "Client",
    "DeadlineExceededError",
    "Geometry",
    "InvalidRequestError",
    "MaskPrompt",
    "MvsamError",
    "Scene",
    "Segmentation",
    "Server",
    "ServerError",
    "ServerUnavailableError",
    "Tls",
    "UnauthenticatedError",
    "UnknownSceneError",
    "ViewMasks",
]
