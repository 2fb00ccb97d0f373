"""Simulated REST-ASMR data sets with known truth."""

from offline.simulation.study import Scenario, simulate

__all__ = ["Scenario", "simulate"]
