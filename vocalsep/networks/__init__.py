"""Networks: a configuration and a network class for each architecture, and the table of all architectures."""
