"""The doctor: what is wrong with the data of a workspace, and what a repair does about it."""

import strawberry

from db.doctor import invariants
from schema.view import View, enum_of, field
from services import doctor

enum_of(
    invariants.Rule,
    "The rules that the data of a workspace keeps, whatever happens.",
    {
        invariants.Rule.ONE_CHAT_PER_SECTION: "A section has one chat.",
        invariants.Rule.NO_DANGLING_REFERENCE: "A chat has its section, a placement its document and its section, a message its chat. "
        "A purge that was begun is at its end.",
        invariants.Rule.ONE_WORKSPACE: "What a row names lies in its own workspace.",
        invariants.Rule.NO_WRONG_CHAT_POINTER: "A section points to its own chat, or to none.",
        invariants.Rule.NO_MISSING_CHAT_POINTER: "A section that has a chat points to one.",
        invariants.Rule.MESSAGES_NUMBERED: "The messages of a chat are numbered 1, 2, 3 ... to its last, and a client id of an author "
        "names one of them.",
        invariants.Rule.POSITIONS_DISTINCT: "The positions in a document are distinct and well formed.",
        invariants.Rule.DATABASE_SOUND: "The database finds its own files sound. Only the command line asks it.",
    },
)


@strawberry.type(description="Something that breaks a rule.")
class Finding(View):
    """What is wrong, and what would be done."""

    represents = doctor.Finding

    rule: invariants.Rule = field("The rule.")
    message: str = field("What is wrong, for people.")
    ids: list[strawberry.ID] = field("The ids of the rows that it is about; of some of them there is no row any more.")
    repair: str | None = field(
        "What a repair does about it; null: a person has to look at it, because a text could be lost."
    )


@strawberry.type(description=f"What was found, at most {doctor.MOST} findings.")
class Examination(View):
    """As much as fits into an answer."""

    represents = doctor.Examination

    findings: list[Finding] = field("The findings, in the order of the rules.")
    has_more: bool = field("Whether there is more than these.")
