"""The doctor: what is wrong with the data of a workspace, and what a repair does about it."""

import strawberry

from db.doctor.invariants import Rule
from resolvers import doctor as resolvers
from schema.results import result_of
from schema.view import View, enum_of, field
from services import doctor

enum_of(
    Rule,
    "The rules that the data of a workspace keeps, whatever happens.",
    {
        Rule.ONE_CHAT_PER_SECTION: "A section has at most one chat.",
        Rule.NO_DANGLING_REFERENCE: "A chat has its section, a placement its document and its section, a message its "
        "chat; and no purge was left half done.",
        Rule.ONE_WORKSPACE: "Every row that another row names lies in the same workspace.",
        Rule.NO_WRONG_CHAT_POINTER: "A section points to its own chat, or to none.",
        Rule.NO_MISSING_CHAT_POINTER: "A section that has a chat points to one.",
        Rule.MESSAGES_NUMBERED: "The messages of a chat are numbered 1, 2, 3 ... to its last, and a client id of an "
        "author names one of them.",
        Rule.POSITIONS_DISTINCT: "The positions in a document are distinct and well formed.",
        Rule.DATABASE_SOUND: "The database finds its own files sound. Only the command line checks it.",
    },
)


@strawberry.type(description="Something that breaks a rule.")
class Finding(View):
    """What is wrong, and what would be done."""

    represents = doctor.Finding

    rule: Rule = field("The rule that is broken.")
    message: str = field("What is wrong, for people.")
    ids: list[strawberry.ID] = field("The ids of the rows that it is about; some of these rows may not exist.")
    repair: str | None = field(
        "What a repair does about it; null if a person has to look at it, because a text could be lost."
    )


@strawberry.type(description=f"What the doctor found, at most {doctor.MOST} findings.")
class Examination(View):
    """As much as fits into an answer."""

    represents = doctor.Examination

    findings: list[Finding] = field("The findings, in the order of the rules.")
    has_more: bool = field("Whether the doctor found more than these.")


@strawberry.type
class Queries:
    """What the doctor can be asked."""

    doctor = result_of(
        resolvers.doctor,
        "Look for what breaks a rule in the data of your workspace, as its owner.",
        answer="What was found, or why nothing was looked for.",
        cost=20_000,
    )


@strawberry.type
class Mutations:
    """What the doctor can do."""

    repair = result_of(
        resolvers.repair,
        "Repair what doctor finds in your workspace and can be repaired, as its owner. No message is lost. Call it "
        "again while it has more. Safe to repeat at any moment.",
        answer="What was found and is right now, or why nothing was repaired.",
        cost=20_000,
    )
