"""What the outputs of several commands say in one way: places, faults, counts."""
