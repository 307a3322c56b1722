// The call itself.
import { ConnectionState, type Room } from "livekit-client";
import { useEffect, useRef, useState } from "preact/hooks";
import { Announcer, Chat, useChat } from "./chat";
import { Controls, type Panel } from "./controls";
import { CloseIcon, LinkIcon } from "./icons";
import { linkTo } from "./invite";
import { People } from "./people";
import { useRoom } from "./room";
import { Stage } from "./stage";

const COMPLAINT_MS = 8000;

export function Call({ room, shareable }: { room: Room; shareable: boolean }) {
  useRoom(room);
  const { lines, say } = useChat(room);
  const [panel, setPanel] = useState<Panel>(null);
  const [complaint, complain] = useState("");
  const unread = useUnread(lines.filter((line) => !line.mine).length, panel === "chat");
  useEffect(() => {
    const timer = setTimeout(() => complain(""), COMPLAINT_MS);
    return () => clearTimeout(timer);
  }, [complaint]);
  return (
    <div class={panel ? "call with-panel" : "call"}>
      <header class="top">
        <h1>{room.name}</h1>
        {shareable && <CopyLink room={room.name} />}
      </header>
      <div class="notices">
        <Connection state={room.state} />
        {!room.canPlaybackAudio && (
          <button type="button" class="notice primary" onClick={() => void room.startAudio()}>
            Your browser holds back the sound. Press here to hear the others.
          </button>
        )}
        {complaint && <p class="notice problem" role="alert">{complaint}</p>}
      </div>
      <Stage room={room} />
      {panel && (
        <aside class="panel" aria-label={panel === "chat" ? "Chat" : "People"}>
          <header>
            <h2>{panel === "chat" ? "Chat" : `People (${room.remoteParticipants.size + 1})`}</h2>
            <button type="button" class="square" aria-label="Close" onClick={() => setPanel(null)}>
              <CloseIcon />
            </button>
          </header>
          {panel === "chat" ? <Chat room={room} lines={lines} say={say} /> : <People room={room} />}
        </aside>
      )}
      <Controls room={room} panel={panel} unread={unread} open={setPanel} complain={complain} />
      <Announcer room={room} />
    </div>
  );
}

function Connection({ state }: { state: ConnectionState }) {
  if (state !== ConnectionState.Reconnecting && state !== ConnectionState.SignalReconnecting) return null;
  return (
    <p class="notice warning" role="alert">
      <span class="spinner" /> The connection was interrupted. Reconnecting…
    </p>
  );
}

function CopyLink({ room }: { room: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(linkTo(room));
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <button type="button" class="quiet" onClick={() => void copy()}>
      <LinkIcon />
      <span aria-live="polite">{copied ? "Link copied" : "Copy link"}</span>
    </button>
  );
}

/** How many of `count` came while nobody looked. */
function useUnread(count: number, looking: boolean): number {
  const seen = useRef(0);
  if (looking) seen.current = count;
  return count - seen.current;
}
