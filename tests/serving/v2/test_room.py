"""Memory for bodies: never more than there is, and nobody waits for ever."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from scopezoo.serving.v2.room import Room

TOTAL = 10


@given(
    st.lists(st.tuples(st.integers(0, TOTAL), st.integers(0, 4), st.booleans()), max_size=15),
    st.integers(0, 6),
)
def test_requests_share_what_is_there(
    requests: list[tuple[int, int, bool]], cancelled_after: int
) -> None:
    """Each takes some bytes for some turns of the loop; some are cancelled meanwhile."""
    taken = most = served = 0

    async def one(room: Room, size_bytes: int, turns: int) -> None:
        nonlocal taken, most, served
        async with room.taken(size_bytes):
            taken += size_bytes
            most = max(most, taken)
            try:
                for _ in range(turns):
                    await asyncio.sleep(0)
                served += 1
            finally:
                taken -= size_bytes

    async def all_of_them() -> None:
        room = Room(TOTAL)
        tasks = [asyncio.create_task(one(room, size, turns)) for size, turns, _ in requests]
        for _ in range(cancelled_after):
            await asyncio.sleep(0)
        for task, (_, _, is_cancelled) in zip(tasks, requests, strict=True):
            if is_cancelled:
                task.cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        async with asyncio.timeout(5), room.taken(TOTAL):
            pass

    asyncio.run(all_of_them())
    assert most <= TOTAL
    assert served >= sum(not is_cancelled for _, _, is_cancelled in requests)


def test_a_small_request_does_not_overtake_a_large_one_for_ever() -> None:
    order: list[str] = []

    async def one(room: Room, name: str, size_bytes: int) -> None:
        async with room.taken(size_bytes):
            order.append(name)
            await asyncio.sleep(0)

    async def some() -> None:
        room = Room(TOTAL)
        await asyncio.gather(one(room, "a", 6), one(room, "large", 10), one(room, "b", 1))

    asyncio.run(some())
    assert order == ["a", "large", "b"]
