"""A judge's model behind a server that speaks OpenAI's chat completions."""
