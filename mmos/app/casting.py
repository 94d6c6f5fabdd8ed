"""Makes the cast of a run: every role with its model, its system text and its tools."""

from __future__ import annotations

from typing import Any

from mmos.app import wiring
from mmos.app.lifecycle import RunOptions
from mmos.config.load import Config
from mmos.participant.cast import Cast
from mmos.prompting.templates import Templates
from mmos.toolbox import Toolbox
from mmos.tools.log import Logs, log_tools


def cast_key(options: RunOptions) -> tuple[Any, ...]:
    """Runs with the same key have the same cast."""
    changes = tuple((options.roles or {}).items()), tuple((options.sampling or {}).items())
    return (*changes, options.system, options.role_only, options.model, options.gpu, options.is_model_alone, options.consult)


def cast_for(options: RunOptions, config: Config, tools: Toolbox, templates: Templates, logs: Logs) -> Cast:
    """The cast of a run with these options. `logs`: those that a role that explains failures may look into."""
    if options.model:
        cast: Cast = wiring.model_alone(config, options.model, options.system, options.sampling, templates, gpu=options.gpu)
    else:
        roles = wiring.roles_of(config, options.roles, options.sampling, gpu=options.gpu)
        if options.role_only == wiring.DIAGNOSIS:
            return wiring.explaining(config, roles, log_tools(templates, logs), templates, options.system)
        if options.is_model_alone:
            cast = wiring.arbiter_alone(roles[wiring.ARBITER], options.system, templates)
        else:
            cast = wiring.cast_of(roles, tools, templates, options.system, options.answering, options.consult)
            cast = wiring.taking_part(cast, options.answering, wiring.interpreter_of(config))
    if options.gpu is not None:
        wiring.check_gpu(config, cast, options.gpu)
    return cast
