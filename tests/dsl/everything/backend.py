def flight_search(state, **arguments):
    return {"flights": []}
