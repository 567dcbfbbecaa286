"""Photographs and clicks in, masks out: the client of the MV-SAM inference server."""

from mvsam_client.client import Client, Server
from mvsam_client.errors import (
    DeadlineExceededError,
    InvalidRequestError,
    MvsamError,
    ServerError,
    ServerUnavailableError,
)
from mvsam_client.prompts import Box, Click, Geometry, MaskPrompt
from mvsam_client.result import Segmentation

__all__ = [
    "Box",
    "Click",
    "Client",
    "DeadlineExceededError",
    "Geometry",
    "InvalidRequestError",
    "MaskPrompt",
    "MvsamError",
    "Segmentation",
    "Server",
    "ServerError",
    "ServerUnavailableError",
]
