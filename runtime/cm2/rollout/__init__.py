"""A policy plays a scripted dialogue against simulated tools; every token it sampled is kept."""
