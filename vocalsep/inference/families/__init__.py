"""Families of networks of other programs, which separate a song in segments.

A model of a family is one file in our own format, safetensors or ONNX, with JSON metadata under the key ``vocalsep``::

    {"family": "htdemucs-onnx", "config": {...}, "card": {...}, "parameters": 41984456}

``family``
    A name in `table.FAMILIES`.
``config``
    The values of the family's `Config`, from `dataclasses.asdict`: all that is needed to compute the network.
``card``
    For people: ``name``, ``licence``, ``source`` (where the weights come from), ``figures``, ``remarks``; all text, but
    ``figures``, which is a dictionary of text.
``parameters``
    Number of values in the weights.

The shape of the network (rate, segments, sources) follows from ``config``. Each family is a module of this package with
the two things that `table.Family` describes, and one line in `table.FAMILIES`.
"""
