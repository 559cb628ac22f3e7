"""Training on a spec: GRPO with our rollouts and our advantages, and a tiny policy to show it."""
