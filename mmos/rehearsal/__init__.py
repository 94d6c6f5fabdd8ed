"""Serves Ollama-compatible hosts with scripted models over real HTTP, so that MMOS runs without a model or a network."""

from mmos.rehearsal.faults import Fault
from mmos.rehearsal.fleet import Fleet, default_fleet, host_from, serve_all
from mmos.rehearsal.host import Host
from mmos.rehearsal.personas import Architecture, Model, Speed
from mmos.rehearsal.pieces import BadByte, Call, Cut, Fail, Finish, Loop, Ramble, Raw, Say, Stall, Think
from mmos.rehearsal.profiles import PROFILES, Profile
from mmos.rehearsal.prompt import Prompt
from mmos.rehearsal.reader import PersonaError, parse_cast, read_cast
from mmos.rehearsal.server import serve

__all__ = [
    "PROFILES",
    "Architecture",
    "BadByte",
    "Call",
    "Cut",
    "Fail",
    "Fault",
    "Finish",
    "Fleet",
    "Host",
    "Loop",
    "Model",
    "PersonaError",
    "Profile",
    "Prompt",
    "Ramble",
    "Raw",
    "Say",
    "Speed",
    "Stall",
    "Think",
    "default_fleet",
    "host_from",
    "parse_cast",
    "read_cast",
    "serve",
    "serve_all",
]
