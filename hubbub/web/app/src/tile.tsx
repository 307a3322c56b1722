// One participant's picture, or initials in its place.
import { ConnectionQuality, type Participant, Track } from "livekit-client";
import { MicOffIcon } from "./icons";
import { Video } from "./media";
import { isMuted, nameOf, pictureOf } from "./room";

export function CameraTile({ participant }: { participant: Participant }) {
  const picture = pictureOf(participant, Track.Source.Camera);
  const name = nameOf(participant);
  return (
    <article class={`tile${participant.isSpeaking ? " speaking" : ""}`} aria-label={describe(participant)}>
      {picture ? (
        <Video track={picture} label={`Camera of ${name}`} mirrored={participant.isLocal} />
      ) : (
        <Initials name={name} />
      )}
      <div class="label">
        {isMuted(participant) && <MicOffIcon />}
        <span class="name">{name}</span>
        {participant.isLocal && <span class="you">you</span>}
        <Quality quality={participant.connectionQuality} />
      </div>
    </article>
  );
}

export function ScreenTile({ participant, track }: { participant: Participant; track: Track }) {
  const title = participant.isLocal ? "Your screen" : `Screen of ${nameOf(participant)}`;
  return (
    <div class="tile screen">
      <Video track={track} label={title} whole />
      <div class="label" aria-hidden="true">
        <span class="name">{title}</span>
      </div>
    </div>
  );
}

export function Initials({ name }: { name: string }) {
  const words = name.trim().split(/\s+/u).filter(Boolean);
  const letters = [words[0], words.length > 1 ? words[words.length - 1] : ""]
    .map((word) => [...(word ?? "")][0] ?? "")
    .join("");
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) % 360;
  return (
    <div class="initials" aria-hidden="true">
      <span style={{ backgroundColor: `hsl(${hash} 45% 38%)` }}>{letters.toUpperCase() || "?"}</span>
    </div>
  );
}

const BARS: Partial<Record<ConnectionQuality, [number, string]>> = {
  [ConnectionQuality.Excellent]: [3, "Good connection"],
  [ConnectionQuality.Good]: [2, "Fair connection"],
  [ConnectionQuality.Poor]: [1, "Poor connection"],
  [ConnectionQuality.Lost]: [0, "Connection lost"],
};

export function Quality({ quality }: { quality: ConnectionQuality }) {
  const known = BARS[quality];
  if (!known) return null;
  const [bars, words] = known;
  return (
    <svg class={`quality q${bars}`} viewBox="0 0 14 12" role="img" aria-label={words}>
      <title>{words}</title>
      {[0, 1, 2].map((bar) => (
        <rect key={bar} x={bar * 5} y={8 - bar * 4} width="3.4" height={4 + bar * 4} rx="1" class={bar < bars ? "on" : ""} />
      ))}
    </svg>
  );
}

function describe(participant: Participant): string {
  const parts = [nameOf(participant)];
  if (participant.isLocal) parts.push("you");
  if (isMuted(participant)) parts.push("muted");
  if (!participant.isCameraEnabled) parts.push("camera off");
  if (participant.isSpeaking) parts.push("speaking");
  return parts.join(", ");
}
