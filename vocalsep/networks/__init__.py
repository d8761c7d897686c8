"""Mask estimators: a config class and a network for each architecture, and one table that names them."""
