"""Closed-loop inverse design of materials, recorded in AiiDA's provenance graph.

The folders are the stations of the loop, in this order: ``campaign`` (what is asked for), ``propose``,
``select``, ``evaluate``, ``learn``, and ``audit`` (what can be said about it afterwards).
"""

__version__ = '0.1.0'
