from tests.harness.clients import Join


async def test_name_metadata_and_attributes_of_the_token_are_seen(join: Join) -> None:
    profile = {"name": "Alice", "metadata": "m", "attributes": {"colour": "red"}}
    async with join("bob") as bob, join("alice", **profile):
        alice = await bob.sees("alice")
        assert (alice.name, alice.metadata, alice.attributes) == ("Alice", "m", {"colour": "red"})


async def test_a_participant_changes_its_own_profile(join: Join) -> None:
    async with (
        join("alice", attributes={"a": "1", "b": "2"}, can_update_own_metadata=True) as alice,
        join("bob") as bob,
    ):
        await alice.me.set_name("Alice L.")
        await alice.me.set_metadata("new")
        await alice.me.set_attributes({"a": "", "b": "3", "c": "4"})
        for client in (bob, alice):
            participant, _, name = await client.hears("participant_name_changed")
            assert (participant.identity, name) == ("alice", "Alice L.")
            assert (await client.hears("participant_metadata_changed"))[2] == "new"
            changed, participant = await client.hears("participant_attributes_changed")
            assert participant.attributes == {"b": "3", "c": "4"}
            assert changed == {"a": "", "b": "3", "c": "4"}


async def test_without_the_grant_nothing_changes(join: Join) -> None:
    async with join("alice", name="Alice") as alice, join("bob") as bob:
        await alice.me.set_name("Mallory")
        await alice.me.publish_data(b"after")
        await bob.hears("data_received")
        assert not bob.heard("participant_name_changed")
        assert bob.other("alice").name == "Alice"
