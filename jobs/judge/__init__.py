"""Quality of a fitted model: metrics on the test rows, choice of hyper-parameters, warnings."""
