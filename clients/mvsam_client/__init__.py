"""Photographs and clicks in, masks out: the client of the MV-SAM inference server."""

from mvsam_client.aio_client import AsyncClient
from mvsam_client.aio_scene import AsyncScene
from mvsam_client.annotator import AnnotatedView, Annotator
from mvsam_client.client import Client, Server
from mvsam_client.cloud import PointCloud
from mvsam_client.connection import Tls
from mvsam_client.errors import (
    DeadlineExceededError,
    InvalidRequestError,
    MissingExtraError,
    MvsamError,
    SceneChangedError,
    ServerBusyError,
    ServerError,
    ServerNotReadyError,
    ServerUnavailableError,
    UnauthenticatedError,
    UnknownAnswerError,
    UnknownSceneError,
)
from mvsam_client.images import Photograph
from mvsam_client.object_prompts import ObjectPrompts
from mvsam_client.prompts import Box, Click, Geometry, MaskPrompt
from mvsam_client.result import Segmentation, ViewMasks
from mvsam_client.scene import Scene
from mvsam_client.sources import photographs
from mvsam_client.vocabulary import Prompting

__all__ = [
    "AnnotatedView",
    "Annotator",
    "AsyncClient",
    "AsyncScene",
    "Box",
    "Click",
    "Client",
    "DeadlineExceededError",
    "Geometry",
    "InvalidRequestError",
    "MaskPrompt",
    "MissingExtraError",
    "MvsamError",
    "ObjectPrompts",
    "Photograph",
    "PointCloud",
    "Prompting",
    "Scene",
    "SceneChangedError",
    "Segmentation",
    "Server",
    "ServerBusyError",
    "ServerError",
    "ServerNotReadyError",
    "ServerUnavailableError",
    "Tls",
    "UnauthenticatedError",
    "UnknownAnswerError",
    "UnknownSceneError",
    "ViewMasks",
    "photographs",
]
