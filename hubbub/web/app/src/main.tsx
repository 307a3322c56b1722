// The page: lobby, call, and what comes after.
import { type Room, RoomEvent } from "livekit-client";
import { render } from "preact";
import { useState } from "preact/hooks";
import { Call } from "./call";
import { fetchToken, readInvite, serverUrl } from "./invite";
import { Lobby, type Wish } from "./lobby";
import { newRoom } from "./room";
import { callEnded, joinFailure, type Notice } from "./words";

type View =
  | { kind: "lobby"; attempt: number; busy: boolean; failure: string }
  | { kind: "call"; room: Room }
  | { kind: "over"; notice: Notice };

const LEFT: Notice = { title: "You left the call", text: "The others can go on without you." };

function Page() {
  const [invite, setInvite] = useState(readInvite);
  const [view, setView] = useState<View>({ kind: "lobby", attempt: 0, busy: false, failure: "" });

  const join = async (wish: Wish, attempt: number) => {
    setView({ kind: "lobby", attempt, busy: true, failure: "" });
    setInvite({ ...invite, room: wish.room, name: wish.name });
    const room = newRoom();
    try {
      const token = invite.token ?? (await fetchToken(wish.room, wish.name));
      await room.connect(serverUrl(), token);
    } catch (error) {
      wish.camera?.stop();
      wish.microphone?.stop();
      setView({ kind: "lobby", attempt: attempt + 1, busy: false, failure: joinFailure(error).text });
      return;
    }
    if (!invite.token) history.replaceState(null, "", `?${new URLSearchParams({ room: wish.room })}`);
    document.title = `${room.name} · Hubbub`;
    room.on(RoomEvent.Disconnected, (reason) => {
      document.title = "Hubbub";
      setView({ kind: "over", notice: callEnded(reason) ?? LEFT });
    });
    setView({ kind: "call", room });
    publish(room, wish);
  };

  switch (view.kind) {
    case "lobby":
      // A new attempt opens camera and microphone anew: the failed one took them along.
      return (
        <Lobby
          key={view.attempt}
          invite={invite}
          busy={view.busy}
          failure={view.failure}
          join={(wish) => void join(wish, view.attempt)}
        />
      );
    case "call":
      return <Call room={view.room} shareable={!invite.token} />;
    case "over":
      return <Over notice={view.notice} again={() => setView({ kind: "lobby", attempt: 0, busy: false, failure: "" })} />;
  }
}

/** Starts to send what the lobby had open. The call need not wait for it. */
function publish(room: Room, wish: Wish): void {
  const me = room.localParticipant;
  for (const track of [wish.microphone, wish.camera]) {
    if (!track) continue;
    if (me.permissions && !me.permissions.canPublish) track.stop();
    else me.publishTrack(track).catch((error: unknown) => console.warn("could not publish", error));
  }
}

function Over({ notice, again }: { notice: Notice; again: () => void }) {
  return (
    <main class="over">
      <img src="assets/icon.svg" alt="" width="56" height="56" />
      <h1>{notice.title}</h1>
      <p role="alert">{notice.text}</p>
      <button type="button" class="primary" onClick={again}>
        Join again
      </button>
    </main>
  );
}

const root = document.getElementById("page");
if (root) render(<Page />, root);
