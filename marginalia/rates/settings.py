"""Settings of the rate limits and the storage quota."""

from dataclasses import replace
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from marginalia.rates.rates import Rates

IN_TOKENS_MODE = Rates(cost_per_minute=1_000_000, writes_per_minute=600, sockets=20, subscriptions=200)
"""The limits of `tokens` mode, where no others are set: what no person reaches by hand, and a wild script soon does."""

_DEFAULT = "0: no limit. Default: none in local mode, {} in tokens mode."


class RateSettings(BaseSettings):
    """The settings of the rate limits, which hold for one user of one workspace, and the storage quota."""

    rate_cost_per_minute: int | None = Field(
        default=None,
        ge=0,
        description="How much the operations of a user may cost in a minute. "
        + _DEFAULT.format(f"{IN_TOKENS_MODE.cost_per_minute:,}"),
    )
    rate_writes_per_minute: int | None = Field(
        default=None,
        ge=0,
        description="How many root fields of mutations a user may run in a minute. "
        + _DEFAULT.format(IN_TOKENS_MODE.writes_per_minute),
    )
    rate_sockets: int | None = Field(
        default=None,
        ge=0,
        description="How many WebSockets a user may have open at a time, in each process. "
        + _DEFAULT.format(IN_TOKENS_MODE.sockets),
    )
    rate_subscriptions: int | None = Field(
        default=None,
        ge=0,
        description="How many subscriptions a user may have open at a time, in each process. "
        + _DEFAULT.format(IN_TOKENS_MODE.subscriptions),
    )
    max_workspace_bytes: int = Field(
        default=0, ge=0, description="How much text a workspace may hold, in bytes; 0: no limit."
    )
    rate_storage: str = Field(
        default="memory://",
        pattern="^(memory://|rediss?://.+)$",
        description="Where the use of a minute is counted. `memory://`: in each process; "
        "`redis://host:port/number`: in a Redis, for all processes together.",
    )

    def rates(self, auth: Literal["local", "tokens"]) -> Rates:
        """Return the limits that apply in a mode of authentication."""
        defaults = IN_TOKENS_MODE if auth == "tokens" else Rates()
        chosen = {
            "cost_per_minute": self.rate_cost_per_minute,
            "writes_per_minute": self.rate_writes_per_minute,
            "sockets": self.rate_sockets,
            "subscriptions": self.rate_subscriptions,
        }
        given = {name: value for name, value in chosen.items() if value is not None}
        return replace(defaults, **given)
