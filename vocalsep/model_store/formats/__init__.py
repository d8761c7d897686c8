"""Files of other programs that can become models, a module for each kind of file.

Each has a function ``read(given: Given) -> Converted | None``, see `given`: None if the file is of another kind.
`table.READERS` lists them.
"""
