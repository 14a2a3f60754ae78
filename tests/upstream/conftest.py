"""What the tests of the transports are written with."""

from tests.edge.conftest import log as log
