"""How good a fitted model is: metrics on the test rows, choice of hyper-parameters, warnings."""
