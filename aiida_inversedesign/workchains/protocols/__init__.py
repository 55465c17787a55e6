"""The protocols of the engines: one YAML file each, read by :func:`protocol_inputs`."""

from aiida_inversedesign.workchains.protocols.load import ProtocolError, protocol_inputs

__all__ = ('ProtocolError', 'protocol_inputs')
