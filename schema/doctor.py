"""The doctor: violations of the invariants in the data of a workspace, and their repair."""

import strawberry

from db.doctor.invariants import Rule
from resolvers import doctor as resolvers
from schema.results import result_of
from schema.view import View, enum_of, field
from services import doctor

enum_of(
    Rule,
    "The invariants of the data of a workspace.",
    {
        Rule.ONE_CHAT_PER_SECTION: "A section has at most one chat.",
        Rule.NO_DANGLING_REFERENCE: "A chat has its section, a placement its document and its section, a message its "
        "chat. No purge was left unfinished.",
        Rule.ONE_WORKSPACE: "A row and every row that it references belong to the same workspace.",
        Rule.NO_WRONG_CHAT_POINTER: "A section points to its own chat or to none.",
        Rule.NO_MISSING_CHAT_POINTER: "A section that has a chat points to a chat.",
        Rule.MESSAGES_NUMBERED: "The messages of a chat are numbered 1, 2, 3 ... without gaps, and a client id "
        "identifies one message of its author.",
        Rule.POSITIONS_DISTINCT: "The positions in a document are distinct and well formed.",
        Rule.DATABASE_SOUND: "The values, the encoding, the schema and the files of the database are sound. Only the "
        "command line checks this rule.",
    },
)


@strawberry.type(description="A violation of a rule.")
class Finding(View):
    """A violation and its repair."""

    represents = doctor.Finding

    rule: Rule = field("The violated rule.")
    message: str = field("The violation, described for people.")
    ids: list[strawberry.ID] = field("The ids of the rows involved; some of these rows may not exist.")
    repair: str | None = field("What a repair does; null if a person has to decide, because text could be lost.")


@strawberry.type(description=f"The findings of the doctor, at most {doctor.MOST}.")
class Examination(View):
    """The findings that fit into one response."""

    represents = doctor.Examination

    findings: list[Finding] = field("The findings, in the order of the rules.")
    has_more: bool = field("Whether the doctor found more than these.")


@strawberry.type
class Queries:
    """The query fields of the doctor."""

    doctor = result_of(
        resolvers.doctor,
        "Check the data of your workspace against the rules. Requires the role OWNER.",
        answer="The findings, or the reason nothing was checked.",
        cost=20_000,
    )


@strawberry.type
class Mutations:
    """The mutation fields of the doctor."""

    repair = result_of(
        resolvers.repair,
        "Repair every finding of doctor in your workspace that has a repair. Requires the role OWNER. No message is "
        "lost. Call it again while hasMore is true. Safe to retry at any time.",
        answer="The repaired findings, or the reason nothing was repaired.",
        cost=20_000,
    )
