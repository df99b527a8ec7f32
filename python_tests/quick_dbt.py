"""dbt without what it does again for every node of every run in one process: a run takes two thirds of the time.

What it runs and how is the same. Tests of programs that start a dbt of their own have it as it is.
"""

from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any

import parsedatetime
import pytest
from dbt.clients.jinja import MacroGenerator
from dbt.context.macros import MacroNamespace, MacroNamespaceBuilder
from dbt.contracts.graph.nodes import Macro
from dbt.events.types import NodeFinished, NodeStart
from dbt.plugins.manager import PluginManager
from dbt_common.behavior_flags import BehaviorFlagRendered
from dbt_common.clients.jinja import MacroFuzzEnvironment
from dbt_common.events.base_types import BaseEvent, EventLevel
from dbt_common.events.event_manager import EventManager


def make_dbt_quick(patch: pytest.MonkeyPatch) -> None:
    """Patch dbt until ``patch`` ends."""
    # dbt would look for its caller in the stack and in every module of every library, for each flag of each run.
    patch.setattr(BehaviorFlagRendered, "_default_source", staticmethod(lambda: "dbt"))
    # It would look through all modules for plugins, in each run.
    patch.setattr(PluginManager, "get_prefixed_modules", cache(PluginManager.get_prefixed_modules))
    # It would prepare to read dates in words, for each result of a query.
    patch.setattr(parsedatetime, "Constants", cache(parsedatetime.Constants))
    jinja_compiled_once(patch)
    events_only_for_those_who_hear_them(patch)
    macros_by_name_at_once(patch)


def jinja_compiled_once(patch: pytest.MonkeyPatch) -> None:
    """The Jinja of a model is the same in each run."""
    compile_jinja, compiled = MacroFuzzEnvironment.compile, dict[str, Any]()

    def compile_once(environment: MacroFuzzEnvironment, source: str) -> Any:
        if source not in compiled:
            compiled[source] = compile_jinja(environment, source)
        return compiled[source]

    patch.setattr(MacroFuzzEnvironment, "compile", compile_once)


def events_only_for_those_who_hear_them(patch: pytest.MonkeyPatch) -> None:
    """Build the message of an event when it is read, and let events for debugging pass, except those of a node."""
    build, fire = BaseEvent.__init__, EventManager.fire_event

    def keep(event: BaseEvent, *arguments: Any, **fields: Any) -> None:
        vars(event)["given"] = arguments, fields

    def message(event: BaseEvent) -> Any:
        arguments, fields = event.given
        build(event, *arguments, **fields)
        return vars(event)["pb_msg"]

    def fire_if_heard(
        manager: EventManager, e: BaseEvent, level: EventLevel | None = None, *arguments: Any, **options: Any
    ) -> None:
        if (level or e.level_tag()) != EventLevel.DEBUG or isinstance(e, NodeStart | NodeFinished):
            fire(manager, e, level, *arguments, **options)

    pb_msg = cached_property(message)
    pb_msg.__set_name__(BaseEvent, "pb_msg")
    patch.setattr(BaseEvent, "__init__", keep)
    patch.setattr(BaseEvent, "pb_msg", pb_msg, raising=False)
    patch.setattr(EventManager, "fire_event", fire_if_heard)


def macros_by_name_at_once(patch: pytest.MonkeyPatch) -> None:
    """Several hundred macros are made available to each query of each model."""

    def build(
        builder: MacroNamespaceBuilder, macros_by_package: Mapping[str, Mapping[str, Macro]], context: dict[str, Any]
    ) -> MacroNamespace:
        packages = {
            package: {
                name: MacroGenerator(macro, context, builder.node, builder.thread_ctx) for name, macro in macros.items()
            }
            for package, macros in macros_by_package.items()
        }
        of_dbt: dict[str, MacroGenerator] = {}
        for package in reversed(builder.internal_package_names_order):
            of_dbt |= packages.pop(package, {})
        of_project, of_node = packages.get(builder.root_package, {}), packages.get(builder.search_package, {})
        return MacroNamespace(of_project, of_node, of_dbt, packages)

    def by_name(namespace: MacroNamespace) -> dict[str, Any]:
        return {name: macro for macros in reversed([*namespace._search_order()]) for name, macro in macros.items()}

    flat = cached_property(by_name)
    flat.__set_name__(MacroNamespace, "flat")
    patch.setattr(MacroNamespaceBuilder, "build_namespace", build)
    patch.setattr(MacroNamespace, "flat", flat, raising=False)
    patch.setattr(MacroNamespace, "__getitem__", lambda namespace, name: namespace.flat[name])
    patch.setattr(MacroNamespace, "__iter__", lambda namespace: iter(namespace.flat))
