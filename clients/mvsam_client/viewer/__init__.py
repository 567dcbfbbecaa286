"""A page in the browser on which a scene is clicked on; needs the extra `viewer`."""

from mvsam_client.viewer.exhibit import OUTPUTS, Exhibit
from mvsam_client.viewer.page import DEFAULT_PORT, Page
from mvsam_client.viewer.serving import check_installed

__all__ = ["DEFAULT_PORT", "OUTPUTS", "Exhibit", "Page", "check_installed"]
