from tests.harness.browser import JoinInBrowser, both_browser_modes
from tests.harness.eventually import eventually


@both_browser_modes
async def test_packets_arrive_with_topic_and_sender(browse: JoinInBrowser) -> None:
    async with browse("alice") as alice, browse("bob") as bob, browse("carol") as carol:
        for client, other in ((bob, "alice"), (carol, "alice"), (alice, "bob"), (alice, "carol")):
            await client.sees(other)
        await alice.do("publishData", "for carol", {"reliable": True, "destinationIdentities": ["carol"]})
        await alice.do("publishData", "reliable", {"reliable": True, "topic": "t"})

        async def lossy_arrives() -> bool:
            """Lossy packets may get lost, as on the way to somebody just connecting."""
            await alice.do("publishData", "lossy", {"reliable": False, "topic": "t"})
            found = [
                await client.heard("dataReceived", lambda data, *_: data == "lossy")
                for client in (bob, carol)
            ]
            return all(found)

        await eventually(lossy_arrives, "a lossy packet at both")
        for client in (bob, carol):
            for payload in ("lossy", "reliable"):
                _, sender, _, topic, *_ = await client.hears(
                    "dataReceived", lambda data, *_, wanted=payload: data == wanted
                )
                assert (sender["identity"], topic) == ("alice", "t")
        assert await carol.heard("dataReceived", lambda data, *_: data == "for carol")
        assert not await bob.heard("dataReceived", lambda data, *_: data == "for carol")


async def test_a_chat_line_and_a_call_are_answered(browse: JoinInBrowser) -> None:
    async with browse("alice") as alice, browse("bob") as bob:
        await alice.sees("bob")
        await bob.sees("alice")
        line = "hello there, " * 2000
        await alice.do("sendText", line, {"topic": "chat"})
        await eventually(lambda: bob.page.evaluate("peer.texts.length"), "the chat line")
        assert await bob.page.evaluate("peer.texts") == [["alice", line]]
        call = {"destinationIdentity": "bob", "method": "echo", "payload": "hi"}
        assert await alice.do("performRpc", call) == "alice: hi"


async def test_changed_attributes_reach_everyone(browse: JoinInBrowser) -> None:
    async with browse("alice", can_update_own_metadata=True) as alice, browse("bob") as bob:
        await alice.do("setAttributes", {"hand": "up"})
        await bob.hears("participantAttributesChanged")
        assert (await bob.sees("alice"))["attributes"] == {"hand": "up"}
