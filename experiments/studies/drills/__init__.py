"""Kills a part of the cluster in the middle of a trial, and sees whether the result is the undisturbed one."""
