"""The gate: rules and a calibration to PASS, FAIL or UNDECIDED."""

from __future__ import annotations

from rftj_cli.gate.rules import Limit, Rules, compile_rules
from rftj_cli.gate.rulings import SCHEMA, GateResult, Ruling, decide

__all__ = ["SCHEMA", "GateResult", "Limit", "Rules", "Ruling", "compile_rules", "decide"]
