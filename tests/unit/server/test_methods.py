"""Every method of the protocol is answered by the entry itself, and none in the words of gRPC's own stand-ins."""

import pytest
from tritonclient.grpc import service_pb2_grpc

from server.entry import Entry

PROTOCOL = service_pb2_grpc.GRPCInferenceServiceServicer


@pytest.mark.parametrize("method", [name for name in vars(PROTOCOL) if not name.startswith("_")])
def test_the_entry_has_a_word_of_its_own(method: str):
    assert getattr(Entry, method) is not getattr(PROTOCOL, method)
