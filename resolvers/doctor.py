"""The doctor: checking and repairing the data of a workspace."""

from resolvers.context import Info
from services.doctor import DoctorResult, RepairResult, examine_workspace, repair_workspace


async def doctor(info: Info) -> DoctorResult:
    return await examine_workspace(info.context.store)


async def repair(info: Info) -> RepairResult:
    return await repair_workspace(info.context.store)
