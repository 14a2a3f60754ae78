"""The doctor: what is wrong with the data of a workspace, and setting it right."""

from resolvers.context import Info
from services import doctor
from services.doctor import Examined, Repaired


async def examine(info: Info) -> Examined:
    return await doctor.examine_workspace(info.context.store, info.context.principal)


async def repair(info: Info) -> Repaired:
    return await doctor.repair_workspace(info.context.store, info.context.principal)
