"""Compiled kernels without Spark, and the exact top-k of two frames of factors on them."""
