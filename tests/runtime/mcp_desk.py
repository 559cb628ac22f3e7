"""A server as people write them with the official package, for tests: `python mcp_desk.py [PORT]`.

It keeps an account for each process (over stdio) or for all clients (over HTTP).
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from mcp.server.mcpserver import Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("desk")
money = {"a": 100.0, "b": 100.0}


@server.tool()
def balance(account: str) -> dict[str, Any]:
    """How much there is."""
    if account == "dies":
        os._exit(3)
    if account == "sleeps":
        time.sleep(2)
    if account == "key":
        return {"money": os.environ.get("DESK_KEY", "")}
    if account not in money:
        raise ToolError(f"no account {account}")
    return {"money": money[account]}


@server.tool(name="transfer")
def pay(account: str, amount: float, note: dict[str, Any] | None = None) -> str:
    """Pay something."""
    money[account] -= amount
    return f"paid {amount:g}"


@server.tool()
def picture() -> Image:
    """A picture of the desk."""
    return Image(data=b"\x89PNG", format="png")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        server.run()
