"""`cm2c test`: the `test` blocks of specs, and what of the specs they cover. No model is called."""
