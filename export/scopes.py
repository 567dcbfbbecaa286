"""The exporter's note, on every node of a graph, of the network's modules that it comes from."""

import ast

import onnx

KEY = "pkg.torch.onnx.name_scopes"


def modules(node: onnx.NodeProto) -> list[str]:
    """Names, in the network, of all modules that a node is in, outermost first."""
    scopes = next((entry.value for entry in node.metadata_props if entry.key == KEY), "[]")
    *outer, _ = ast.literal_eval(scopes) or [""]  # the last is the node's own
    return [name.removeprefix("network.") for name in outer if name]
