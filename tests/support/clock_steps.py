"""How far clocks are stepped in tests: from a second to twenty years, both ways."""

_DAY_S = 86_400
_FORWARD_S = (1, 2, 59, 61, 3600, _DAY_S, 29 * _DAY_S, 350 * _DAY_S, 400 * _DAY_S, 7305 * _DAY_S)

STEPS_S = (*_FORWARD_S, *(-step_s for step_s in _FORWARD_S))
