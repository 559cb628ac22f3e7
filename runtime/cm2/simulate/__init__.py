"""The simulated world of a rollout: who answers the agent's tool calls, and with what.

`Simulator` holds what all rollouts of a spec share; `Simulator.world` opens one rollout's world;
`World.call` answers. See docs/simulate.md.
"""

from cm2.simulate.backend import Answer, Event, SimulationError, ToolFailure
from cm2.simulate.simulator import Simulator
from cm2.simulate.world import World

__all__ = ["Answer", "Event", "SimulationError", "Simulator", "ToolFailure", "World"]
