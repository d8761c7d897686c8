"""Routes of the HTTP interface for a party: the line of singers, and the remote control of the page that plays."""

from __future__ import annotations

from typing import Annotated, Any

import fastapi
import pydantic
from fastapi import Path

from .context import PROBLEM_RESPONSES, CurrentStudio, Studio
from .export_request import HexId
from .party import Command, Entry, EntryChanges, NewEntry, PlayerState
from .route import Route

router = fastapi.APIRouter(responses=PROBLEM_RESPONSES, route_class=Route)

EntryId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="An entry's id.")]


class EntryChoice(pydantic.BaseModel):
    """The entry that is sung now."""

    model_config = pydantic.ConfigDict(extra="forbid")

    entry: HexId


@router.get("/party")
def get_party(studio: CurrentStudio) -> dict[str, Any]:
    """Return the line of singers."""
    return studio.party.describe()


@router.post("/party/entries", status_code=201)
def add_entry(entry: NewEntry, studio: CurrentStudio) -> Entry:
    """Add a song and its singer to the line."""
    studio.get_song(entry.song)
    added = studio.party.add(entry)
    _publish(studio)
    return added


@router.patch("/party/entries/{entry_id}")
def change_entry(entry_id: EntryId, changes: EntryChanges, studio: CurrentStudio) -> Entry:
    """Change an entry, or its place in the line."""
    changed = studio.party.change(entry_id, changes)
    _publish(studio)
    return changed


@router.delete("/party/entries/{entry_id}", status_code=204)
def delete_entry(entry_id: EntryId, studio: CurrentStudio) -> None:
    """Remove an entry from the line."""
    studio.party.remove(entry_id)
    _publish(studio)


@router.delete("/party", status_code=204)
def clear_party(studio: CurrentStudio) -> None:
    """Remove all entries from the line."""
    studio.party.clear()
    _publish(studio)


@router.post("/party/next")
def start_next(studio: CurrentStudio) -> dict[str, Any]:
    """Make the first in line the current one."""
    studio.party.start()
    return _publish(studio)


@router.post("/party/current")
def start_entry(choice: EntryChoice, studio: CurrentStudio) -> dict[str, Any]:
    """Make an entry the current one, whatever its place."""
    studio.party.start(choice.entry)
    return _publish(studio)


@router.post("/remote", status_code=204)
def send_command(command: Command, studio: CurrentStudio) -> None:
    """Send a command to the pages that play."""
    if command.command == "song":
        studio.get_song(str(command.value))
    studio.events.publish("remote", command.model_dump())


@router.get("/player")
def get_player(studio: CurrentStudio) -> PlayerState | None:
    """Return what the page that plays said last, or null."""
    return studio.party.player


@router.put("/player", status_code=204)
def put_player(state: PlayerState, studio: CurrentStudio) -> None:
    """Tell what a page plays."""
    studio.party.player = state
    studio.events.publish("player", state.model_dump())


def _publish(studio: Studio) -> dict[str, Any]:
    line = studio.party.describe()
    studio.events.publish("party", line)
    return line
