"""Many people at one studio: what they do, what must hold meanwhile and afterwards, and how it is measured."""
