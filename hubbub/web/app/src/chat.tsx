// Chat lines, sent and received as LiveKit text streams.
import { type Room, RoomEvent } from "livekit-client";
import { useEffect, useRef, useState } from "preact/hooks";
import { SendIcon } from "./icons";
import { CHAT_TOPIC, nameOf } from "./room";

export interface Line {
  id: string;
  who: string;
  mine: boolean;
  text: string;
  at: Date;
}

const MAX_LINES = 500;

/** The lines of this call and a way to add one. Lines are kept while the panel is closed. */
export function useChat(room: Room): { lines: Line[]; say: (text: string) => Promise<void> } {
  const [lines, setLines] = useState<Line[]>([]);
  const add = (line: Line) => setLines((before) => [...before, line].slice(-MAX_LINES));
  useEffect(() => {
    room.registerTextStreamHandler(CHAT_TOPIC, async (reader, { identity }) => {
      const sender = room.remoteParticipants.get(identity);
      const who = sender ? nameOf(sender) : identity;
      const { id, timestamp } = reader.info;
      add({ id, who, mine: false, text: await reader.readAll(), at: new Date(timestamp) });
    });
    return () => room.unregisterTextStreamHandler(CHAT_TOPIC);
  }, [room]);
  const say = async (text: string) => {
    const { id, timestamp } = await room.localParticipant.sendText(text, { topic: CHAT_TOPIC });
    add({ id, who: nameOf(room.localParticipant), mine: true, text, at: new Date(timestamp) });
  };
  return { lines, say };
}

export function Chat(props: { room: Room; lines: Line[]; say: (text: string) => Promise<void> }) {
  const list = useRef<HTMLOListElement>(null);
  const [draft, setDraft] = useState("");
  const [failed, setFailed] = useState(false);
  useEffect(() => list.current?.lastElementChild?.scrollIntoView({ block: "end" }), [props.lines.length]);
  const submit = async (event: Event) => {
    event.preventDefault();
    const text = draft.trim();
    if (!text) return;
    setDraft("");
    try {
      await props.say(text);
      setFailed(false);
    } catch {
      setDraft(text);
      setFailed(true);
    }
  };
  return (
    <div class="chat">
      <div role="log" aria-label="Chat" class="log">
        <ol ref={list} class="lines">
        {props.lines.length === 0 && <li class="empty">No messages yet.</li>}
        {props.lines.map((line) => (
          <li key={line.id} class={line.mine ? "mine" : ""}>
            <span class="who">{line.mine ? "You" : line.who}</span>
            <time dateTime={line.at.toISOString()}>
              {line.at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}
            </time>
            <p>{line.text}</p>
          </li>
        ))}
        </ol>
      </div>
      {failed && <p class="problem" role="alert">The message could not be sent. Try again.</p>}
      <form onSubmit={submit}>
        <input
          aria-label="Message to everybody"
          placeholder="Message to everybody"
          value={draft}
          maxLength={4000}
          autocomplete="off"
          onInput={(event) => setDraft(event.currentTarget.value)}
        />
        <button type="submit" class="primary square" aria-label="Send" disabled={!draft.trim()}>
          <SendIcon />
        </button>
      </form>
    </div>
  );
}

/** Tells who comes and goes to those who can't see it. */
export function Announcer({ room }: { room: Room }) {
  const [news, setNews] = useState("");
  useEffect(() => {
    const joined = (who: Parameters<typeof nameOf>[0]) => setNews(`${nameOf(who)} joined`);
    const left = (who: Parameters<typeof nameOf>[0]) => setNews(`${nameOf(who)} left`);
    room.on(RoomEvent.ParticipantConnected, joined).on(RoomEvent.ParticipantDisconnected, left);
    return () => {
      room.off(RoomEvent.ParticipantConnected, joined).off(RoomEvent.ParticipantDisconnected, left);
    };
  }, [room]);
  return <p class="unseen" role="status">{news}</p>;
}
