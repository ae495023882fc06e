"""What a Prefect server is given: limits, work pools, a watch over dead runs, and served flows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from prefect import serve
from prefect.automations import Automation
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.deployments.runner import RunnerDeployment
from prefect.events import EventTrigger, Posture
from prefect.events.actions import ChangeFlowRunState
from prefect.flows import Flow
from prefect.types.entrypoint import EntrypointType
from prefect.workers.process import ProcessWorker

from flows.experiments import experiments
from flows.rebuild import rebuild
from flows.refresh import refresh
from flows.tasks import GPU

POOLS = {"cpu": None, "gpu": 1}
"""Work pools of processes, and how many runs each takes at once."""

DEAD_RUNS = "relmill: runs whose process is gone"
DEAD_AFTER = timedelta(seconds=120)
"""Silence of a flow run after which it counts as dead; it tells of itself each 30 seconds."""


def prepare(*, pools: bool) -> None:
    """Make, or renew, what the deployments rest on.

    Args:
        pools: Whether workers will take the runs.
    """
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(GPU, limit=1)
        for name, limit in POOLS.items() if pools else ():
            make_pool(client, name, limit)
    watch_over_dead_runs()


def make_pool(client: SyncPrefectClient, name: str, limit: int | None) -> None:
    """Make a work pool whose workers start processes on their own machine."""
    client.create_work_pool(
        WorkPoolCreate(
            name=name,
            type=ProcessWorker.type,
            base_job_template=ProcessWorker.get_default_base_job_template(),
            concurrency_limit=limit,
        ),
        overwrite=True,
    )


def watch_over_dead_runs() -> None:
    """Have the server mark runs as crashed that fell silent: their machine may be gone."""
    ends = {f"prefect.flow-run.{end}" for end in ("Completed", "Failed", "Cancelled", "Crashed")}
    beat = "prefect.flow-run.heartbeat"
    watch = Automation(
        name=DEAD_RUNS,
        trigger=EventTrigger(
            after={beat},
            expect={beat} | ends,
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=DEAD_AFTER,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message="Its process fell silent. Finished shards are kept: run it again.",
            )
        ],
    )
    try:
        there = cast(Automation, Automation.read(name=DEAD_RUNS))
    except ValueError:
        watch.create()
    else:
        watch.model_copy(update={"id": there.id}).update()


def serve_flows(recipe: str, root: str, cron: str | None) -> None:
    """Take runs of the three flows, one at a time, until Ctrl-C."""

    def on_request(flow: Flow[Any, str], name: str, cron: str | None = None) -> RunnerDeployment:
        return cast(
            RunnerDeployment,
            flow.to_deployment(
                name,
                cron=cron,
                parameters={"recipe": recipe, "root": root},
                entrypoint_type=EntrypointType.MODULE_PATH,
            ),
        )

    serve(
        on_request(rebuild, "monthly", cron),
        on_request(refresh, "on-request"),
        on_request(experiments, "on-request"),
        limit=1,
    )
